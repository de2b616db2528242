import fc from 'fast-check';
import type { Check } from '#usher/domain';
import { aBackend, aCheck, clock } from '../../test/checks.js';
import { answer, ok, RawPortal } from '../../test/raw-portal.js';
import type { Adapter } from './adapter.js';
import { createAdapter } from './create-adapter.js';

/** Generous: a busy machine still answers within it. */
const TIMEOUT = 5_000;

let portal: RawPortal;
let adapter: Adapter;

beforeEach(async () => {
  portal = await RawPortal.start();
  adapter = adapterFor('/check');
});
afterEach(async () => {
  await adapter.close();
  await portal.close();
});

function adapterFor(path: string, settings: Record<string, unknown> = {}): Adapter {
  return createAdapter('portal', aBackend({ type: 'http', url: portal.url + path, ...settings }), { clock });
}

async function using(other: Adapter): Promise<void> {
  await adapter.close();
  adapter = other;
}

const ask = (check: Check = aCheck()) => adapter.ask(check, { timeoutMs: TIMEOUT });

describe('the question', () => {
  it('is a GET with all of the viewer’s parameters and the six headers of Astra’s contract', async () => {
    await ask();
    expect(portal.requests[0]!.text.split('\r\n')).toEqual(
      expect.arrayContaining([
        'GET /check?token=123 HTTP/1.1',
        'X-Session-ID: 42',
        'X-Channel-ID: a001',
        'X-Real-IP: 192.0.2.7',
        'X-Real-Path: /play/a001/index.m3u8',
        'X-Real-UA: VLC/3',
        'X-Real-Host: live.example.com',
      ]),
    );
  });

  it('carries Alta’s origin, and no header that the edge gave no value for', async () => {
    await ask(aCheck({ dialect: 'alta', channel: '', host: '', origin: 'https://live.example.com:8443' }));
    const [request] = portal.requests;
    expect(request!.header('X-Real-Origin')).toBe('https://live.example.com:8443');
    expect(request!.text).not.toMatch(/X-Channel-ID|X-Real-Host/i);
  });

  it.each([
    ['/check', 'token=1', '/check?token=1'],
    ['/check?key=a%20b', 'token=1', '/check?key=a%20b&token=1'],
    ['/check?key=1', '', '/check?key=1'],
    ['/check', '', '/check'],
    ['', 'token=1', '/?token=1'],
    ['/check#part', 'a=1', '/check?a=1'],
    ['/check', '?a=%zz&&b=#c?d\xe4\xff"<>{}|\\^`', '/check??a=%zz&&b=#c?d\xe4\xff"<>{}|\\^`'],
  ])('address %j with query %j asks %j', async (path, query, target) => {
    await using(adapterFor(path));
    await ask(aCheck({ query }));
    expect(portal.requests[0]!.target).toBe(target);
  });

  it('keeps any query byte for byte', async () => {
    const byte = fc
      .integer({ min: 0x21, max: 0xff })
      .filter((code) => code !== 0x7f)
      .map((code) => String.fromCharCode(code));
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: byte, minLength: 1, maxLength: 200 }), async (query) => {
        await ask(aCheck({ query }));
        expect(portal.requests.at(-1)!.target).toBe(`/check?${query}`);
      }),
      { numRuns: 200 },
    );
  });

  it.each([' ', '\t', '\r\nX-Real-IP: 10.0.0.1', '\0', '\x7f', '\u010a', '\u2028'])(
    'is not asked where the query cannot stand in a request: %j',
    async (bytes) => {
      expect(await ask(aCheck({ query: `token=1${bytes}2` }))).toMatchObject({
        kind: 'deny',
        reason: 'bad-request',
      });
      expect(portal.requests).toEqual([]);
    },
  );

  it('has exactly its own lines, whatever stands in a check', async () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({
        unit: fc.constantFrom('\r', '\n', '\0', ':', ' ', '\u010a', '\u0d0a', '\ud800', 'é', 'x'),
      }),
    );
    const parts = fc.record({
      sessionId: hostile,
      channel: hostile,
      ip: hostile,
      path: hostile,
      userAgent: hostile,
      host: hostile,
      origin: hostile,
    });
    const names =
      /^(?:GET \/check\?token=123 HTTP\/1\.1|(?:host|connection|accept|user-agent|x-session-id|x-channel-id|x-real-(?:ip|path|ua|host|origin)): [\x20-\x7e\x80-\xff]*|)$/i;
    await fc.assert(
      fc.asyncProperty(parts, async (facts) => {
        const before = portal.requests.length;
        expect(await ask(aCheck(facts))).toMatchObject({ kind: 'allow' });
        expect(portal.requests.length).toBe(before + 1);
        const lines = portal.requests.at(-1)!.text.split('\r\n');
        expect(lines.filter((line) => !names.test(line))).toEqual([]);
        const fields = lines.map((line) => line.split(':')[0]!.toLowerCase()).filter((field) => field !== '');
        expect(new Set(fields).size).toBe(fields.length);
      }),
      { numRuns: 200 },
    );
  });

  it('authorizes itself where the address has user and password, and never shows them in the target', async () => {
    await using(
      createAdapter('portal', aBackend({ type: 'http', url: portal.url.replace('//', '//me:p%40ss@') }), {
        clock,
      }),
    );
    await ask();
    expect(portal.requests[0]!.header('Authorization')).toBe(
      `Basic ${Buffer.from('me:p@ss').toString('base64')}`,
    );
    expect(portal.requests[0]!.target).toBe('/?token=123');
  });
});

describe('the answer', () => {
  it.each([
    ['200 allows', ok(), { kind: 'allow', reason: 'backend-allowed', status: 200 }],
    ['401 denies', answer('401 No'), { kind: 'deny', reason: 'backend-denied', status: 401 }],
    ['403 denies', answer('403 No'), { kind: 'deny', reason: 'backend-denied', status: 403 }],
    ['another 4xx denies', answer('404 No'), { kind: 'deny', status: 404 }],
    ['402 denies', answer('402 Pay'), { kind: 'deny', status: 402 }],
    [
      '407',
      answer('407 Proxy'),
      { kind: 'unavailable', because: 'backend', reason: 'backend-misconfigured' },
    ],
    ['408', answer('408 Late'), { kind: 'unavailable', because: 'backend', reason: 'backend-misconfigured' }],
    [
      '425',
      answer('425 Early'),
      { kind: 'unavailable', because: 'backend', reason: 'backend-misconfigured' },
    ],
    [
      '431',
      answer('431 Large'),
      { kind: 'unavailable', because: 'backend', reason: 'backend-misconfigured' },
    ],
    ['429 is busy', answer('429 Slow'), { kind: 'unavailable', because: 'us', reason: 'backend-busy' }],
    [
      '503 with Retry-After is busy',
      answer('503 Later', ['Retry-After: 5']),
      { kind: 'unavailable', because: 'us', reason: 'backend-busy', status: 503 },
    ],
    [
      '503 is an error',
      answer('503 Down'),
      { kind: 'unavailable', because: 'backend', reason: 'backend-error' },
    ],
    [
      '500 is an error',
      answer('500 Oops'),
      { kind: 'unavailable', because: 'backend', reason: 'backend-error' },
    ],
    [
      '204 is none',
      answer('204 Empty'),
      { kind: 'unavailable', because: 'backend', reason: 'backend-malformed' },
    ],
    [
      '201 is none',
      answer('201 New'),
      { kind: 'unavailable', because: 'backend', reason: 'backend-malformed' },
    ],
    [
      '304 is none',
      answer('304 Same'),
      { kind: 'unavailable', because: 'backend', reason: 'backend-malformed' },
    ],
    [
      '600 is none',
      answer('600 What'),
      { kind: 'unavailable', because: 'backend', reason: 'backend-malformed' },
    ],
    ['no HTTP', 'Hello?\r\n\r\n', { kind: 'unavailable', because: 'backend', reason: 'backend-malformed' }],
    [
      'a 302 denies with an address, which is not followed',
      answer('302 Found', ['Location: https://promo.example.com/a?b=c']),
      {
        kind: 'deny',
        reason: 'backend-redirected',
        status: 302,
        redirect: { header: 'Location', address: 'https://promo.example.com/a?b=c' },
      },
    ],
    [
      'a 403 with X-Location',
      answer('403 No', ['Location: /other', 'X-Location: /promo/index.m3u8']),
      {
        kind: 'deny',
        reason: 'backend-redirected',
        status: 403,
        redirect: { header: 'X-Location', address: '/promo/index.m3u8' },
      },
    ],
    [
      'a redirect to itself is a wrong address',
      answer('301 Moved', ['Location: https://portal.example.com/check/?token=123']),
      { kind: 'unavailable', because: 'backend', reason: 'backend-misconfigured' },
    ],
    [
      'an allow with an address passes it on',
      ok(['X-Location: http://cdn.example.com/a']),
      { kind: 'allow', redirect: { header: 'X-Location', address: 'http://cdn.example.com/a' } },
    ],
  ])('%s', async (_name, bytes, expected) => {
    portal.answering = () => bytes;
    expect(await ask()).toMatchObject({ backend: 'portal', ...expected });
    expect(portal.requests).toHaveLength(1);
  });

  it.each([
    'javascript:alert(1)',
    '//evil.example.com/',
    'promo/index.m3u8',
    'http://',
    'ftp://a/b',
    'http://a/b c',
    `http://a/${'x'.repeat(2048)}`,
    'http://a/\tb',
  ])('does not pass on the address %j', async (address) => {
    portal.answering = () => answer('403 No', [`X-Location: ${address}`]);
    const told = await ask();
    expect(told).toMatchObject({ kind: 'deny', reason: 'backend-denied' });
    expect(told).not.toHaveProperty('redirect');
  });

  it('tells a redirect without a usable address as a plain denial', async () => {
    portal.answering = () => answer('302 Found', ['Location: login.php']);
    expect(await ask()).toMatchObject({ kind: 'deny', reason: 'backend-denied', status: 403 });
  });

  it.each<[string, string[], object]>([
    ['X-Session-Name', ['X-Session-Name: bob'], { user: 'bob', sessionName: 'bob' }],
    ['X-UserId', ['X-UserId: 7'], { user: '7', sessionName: '7' }],
    ['both', ['X-UserId: 7', 'X-Session-Name: bob'], { user: '7', sessionName: 'bob' }],
    ['neither', [], { user: undefined, sessionName: undefined, authDuration: undefined, unique: undefined }],
    ['an empty name', ['X-UserId: ', 'X-Session-Name: bob'], { user: 'bob' }],
    ['a name too long to keep', [`X-UserId: ${'u'.repeat(257)}`], { user: undefined }],
    ['a name with a tab', ['X-UserId: a\tb'], { user: undefined }],
    ['bytes beyond ASCII', ['X-UserId: \xd0\x96'], { user: '\xd0\x96' }],
    ['the first of two', ['X-UserId: 7', 'X-UserId: 8'], { user: '7' }],
    ['the duration', ['X-AuthDuration: 36000'], { authDuration: 36_000 }],
    ['a duration of nothing', ['X-AuthDuration: 0'], { authDuration: 0 }],
    ['a duration of ages', ['X-AuthDuration: 99999999999999'], { authDuration: 31_536_000 }],
    ['a garbled duration', ['X-AuthDuration: 10m'], { authDuration: undefined }],
    ['a negative duration', ['X-AuthDuration: -1'], { authDuration: undefined }],
    ['the cap', ['X-Max-Sessions: 3', 'X-Unique: true'], { maxSessions: 3, unique: true }],
    ['unique 1', ['X-Unique: 1'], { unique: true }],
    ['unique Yes', ['X-Unique: Yes'], { unique: true }],
    ['unique no', ['X-Unique: false'], { unique: false }],
  ])('reads %s', async (_name, headers, expected) => {
    portal.answering = () => Buffer.from(ok(headers), 'latin1');
    expect(await ask()).toMatchObject({ kind: 'allow', ...expected });
  });

  it('otherStatus failed: a 4xx is a wrong address', async () => {
    await using(adapterFor('/check', { otherStatus: 'failed' }));
    portal.answering = () => answer('404 Not Found');
    expect(await ask()).toMatchObject({
      kind: 'unavailable',
      because: 'backend',
      reason: 'backend-misconfigured',
    });
  });

  it.each<[string, object, string, string]>([
    ['the header', { header: 'X-Ok' }, ok(['x-ok: 1']), 'allow'],
    ['no header', { header: 'X-Ok' }, ok(), 'unavailable'],
    ['the text', { body: '"ok": "да"' }, ok([], '{"ok": "да"}'), 'allow'],
    ['another text', { body: '"ok": "да"' }, ok([], '<h1>Fatal error</h1>'), 'unavailable'],
    ['the text without the header', { header: 'X-Ok', body: 'ok' }, ok([], 'ok'), 'unavailable'],
    ['a denial without either', { header: 'X-Ok', body: 'ok' }, answer('403 No'), 'deny'],
  ])('allowWhen: %s', async (_name, allowWhen, bytes, kind) => {
    await using(adapterFor('/check', { allowWhen }));
    portal.answering = () => bytes;
    const told = await ask();
    expect(told.kind).toBe(kind);
    if (told.kind === 'unavailable')
      expect(told).toMatchObject({ because: 'backend', reason: 'backend-malformed' });
  });

  it('never shows the query in what it says of a failure', async () => {
    const troubles = [
      'Hello?\r\n\r\n',
      answer('500 token=123'),
      answer('404 token=123'),
      answer('302 Found'),
    ];
    for (const bytes of troubles) {
      portal.answering = () => bytes;
      // Not by its digits: ports and times may have them.
      expect(JSON.stringify(await ask())).not.toContain('token');
    }
  });
});
