import fc from 'fast-check';
import type { Check } from '#usher/domain';
import { aBackend, aCheck, clock } from '../../test/checks.js';
import { answer, ok, RawPortal } from '../../test/raw-portal.js';
import type { Adapter } from './adapter.js';
import { createAdapter } from './create-adapter.js';

const URL = 'http://portal.example.com';
const create = (settings: Record<string, unknown>): Adapter =>
  createAdapter('portal', aBackend({ url: URL, ...settings }), { clock });

describe('a configuration that makes no sense is refused, with the setting’s name', () => {
  it.each<[Record<string, unknown>, RegExp]>([
    [{ type: 'http', irrelevant: ['query'] }, /backends\.portal\.irrelevant: the query cannot be irrelevant/],
    [{ type: 'ministra', irrelevant: ['ip', 'query'] }, /backends\.portal\.irrelevant/],
    [
      { type: 'ministra', allowWhen: { header: 'X-Ok' } },
      /backends\.portal\.allowWhen: is for http, iptvportal and flussonic only/,
    ],
    [
      { type: 'smarty', allowWhen: { body: 'ok' } },
      /backends\.portal\.allowWhen: is for http, iptvportal and flussonic only/,
    ],
    [{ type: 'http', allowWhen: {} }, /backends\.portal\.allowWhen: needs a header, a body, or both/],
    [{ type: 'http', allowWhen: { body: '' } }, /backends\.portal\.allowWhen: needs/],
    [
      { type: 'http', allowWhen: { header: 'X Ok' } },
      /backends\.portal\.allowWhen\.header: is no name of a header/,
    ],
    [
      { type: 'ministra', requireHeader: 'X-User:' },
      /backends\.portal\.requireHeader: is no name of a header/,
    ],
    [{ type: 'xtream', irrelevant: ['path'] }, /backends\.portal\.irrelevant: the path cannot be irrelevant/],
    [{ type: 'xtream', irrelevant: ['query'] }, /the query cannot be irrelevant.*Allowed: ip, channel, host/],
    [{ type: 'flussonic', irrelevant: ['query'] }, /the query cannot be irrelevant/],
    [{ type: 'http', params: ['a=1'] }, /backends\.portal\.params: is for flussonic only/],
    [
      { type: 'http', activeConnections: 'refuse' },
      /backends\.portal\.activeConnections: is for xtream only/,
    ],
    [{ type: 'http', ca: '/no/such/file.pem' }, /backends\.portal\.ca: the file .* cannot be read/],
  ])('%j', (settings, message) => {
    expect(() => create(settings)).toThrow(message);
  });
});

describe('what an answer depends on', () => {
  it.each<[string, string[]]>([
    ['ministra', ['query']],
    ['smarty', ['query', 'ip', 'channel']],
    ['iptvportal', ['query', 'ip', 'channel', 'path', 'host', 'userAgent']],
    ['http', ['query', 'ip', 'channel', 'path', 'host', 'userAgent']],
    ['flussonic', ['query', 'ip', 'channel', 'path', 'host', 'userAgent']],
    ['xtream', ['path', 'query']],
  ])('%s sees %j', (type, sees) => {
    expect(create({ type }).sees).toEqual(sees);
  });

  it('leaves out what the operator declares irrelevant', () => {
    expect(create({ type: 'http', irrelevant: ['userAgent', 'path'] }).sees).toEqual([
      'query',
      'ip',
      'channel',
      'host',
    ]);
  });

  const text = fc.string({ unit: fc.constantFrom('1', '2', ':', 'a', '&') });
  const checks = fc
    .record({
      query: text,
      ip: text,
      channel: text,
      path: text,
      host: text,
      userAgent: text,
      sessionId: text,
    })
    .map(aCheck);
  const shown = (adapter: Adapter, check: Check) => adapter.sees.map((input) => check[input]);

  it.each(['ministra', 'smarty', 'iptvportal', 'http', 'flussonic'])(
    '%s: one key means one question, and no other',
    (type) => {
      const adapter = create({ type });
      fc.assert(
        fc.property(checks, checks, (one, other) => {
          const same = JSON.stringify(shown(adapter, one)) === JSON.stringify(shown(adapter, other));
          expect(adapter.questionKey(one) === adapter.questionKey(other)).toBe(same);
          expect(adapter.questionKey({ ...one, sessionId: 'another', id: 'another' })).toBe(
            adapter.questionKey(one),
          );
        }),
      );
    },
  );
});

it('whoever sees the host sees an Alta viewer’s whole origin', () => {
  const adapter = create({ type: 'http' });
  const keys = ['', 'http://live.example.com', 'https://live.example.com', 'http://live.example.com:81'].map(
    (origin) => adapter.questionKey(aCheck({ origin })),
  );
  expect(new Set(keys).size).toBe(4);
});

describe('against a portal', () => {
  let portal: RawPortal;
  let adapter: Adapter;
  beforeEach(async () => {
    portal = await RawPortal.start();
  });
  afterEach(async () => {
    await adapter.close();
    await portal.close();
  });

  const connect = (type: string, path: string, settings: Record<string, unknown> = {}): void => {
    adapter = createAdapter('portal', aBackend({ type, url: portal.url + path, ...settings }), { clock });
  };
  const ask = () => adapter.ask(aCheck(), { timeoutMs: 5_000 });

  const MINISTRA = '/stalker_portal/server/api/chk_flussonic_tmp_link.php';
  const SMARTY = '/tvmiddleware/api/streamservice/token/check/';
  it.each([
    ['ministra', '/stalker_portal', `${MINISTRA}?token=123`],
    ['ministra', '/stalker_portal/', `${MINISTRA}?token=123`],
    ['ministra', MINISTRA, `${MINISTRA}?token=123`],
    ['ministra', '/own/check.php?key=1', '/own/check.php?key=1&token=123'],
    ['iptvportal', '', '/auth/arescrypt/?token=123'],
    ['iptvportal', '/auth/arescrypt/', '/auth/arescrypt/?token=123'],
    ['iptvportal', '/auth/arescrypt', '/auth/arescrypt?token=123'],
    ['smarty', '', `${SMARTY}?token=123`],
    ['smarty', SMARTY, `${SMARTY}?token=123`],
    ['smarty', SMARTY.slice(0, -1), `${SMARTY}?token=123`],
    ['smarty', '/tv/', `/tv${SMARTY}?token=123`],
  ])('%s at %j asks %s', async (type, path, target) => {
    connect(type, path);
    await ask();
    expect(portal.requests[0]!.target).toBe(target);
    expect(portal.requests[0]!.header('X-Real-IP')).toBe('192.0.2.7');
  });

  const FAILED = (reason: string) => ({ kind: 'unavailable', because: 'backend', reason });

  it.each<[string, string, object]>([
    [
      'allows as the script does',
      ok(['X-AuthDuration: 36000', 'X-Unique: true', 'X-Max-Sessions: 10', 'X-UserId: 17']),
      { kind: 'allow', user: '17', authDuration: 36_000, unique: true, maxSessions: 10 },
    ],
    ['denies', answer('403 Forbidden'), { kind: 'deny', status: 403 }],
    ['fails with an error page sent as 200', ok([], '<b>Fatal error</b>'), FAILED('backend-malformed')],
    ['fails with an empty X-UserId', ok(['X-UserId: ']), FAILED('backend-malformed')],
    ['fails with 404', answer('404 Not Found'), FAILED('backend-misconfigured')],
    ['fails with 400', answer('400 Bad Request'), FAILED('backend-misconfigured')],
    ['fails with 500', answer('500 Oops'), FAILED('backend-error')],
    [
      'moved to https is a wrong address',
      answer('301 Moved', [`Location: https://portal.example.com${MINISTRA}?token=123`]),
      FAILED('backend-misconfigured'),
    ],
  ])('ministra %s', async (_name, bytes, expected) => {
    connect('ministra', '/stalker_portal');
    portal.answering = () => bytes;
    expect(await ask()).toMatchObject(expected);
  });

  it('ministra: another header may be required, or none', async () => {
    connect('ministra', '', { requireHeader: 'X-Max-Sessions' });
    portal.answering = () => ok(['X-Max-Sessions: 1']);
    expect(await ask()).toMatchObject({ kind: 'allow' });
    await adapter.close();
    connect('ministra', '', { requireHeader: '' });
    portal.answering = () => ok();
    expect(await ask()).toMatchObject({ kind: 'allow' });
  });

  it.each<[string, string, object]>([
    ['allows', ok(['X-Session-Name: bob']), { kind: 'allow', user: 'bob' }],
    ['denies', answer('403 No'), { kind: 'deny', status: 403 }],
    ['fails with 404', answer('404 No'), FAILED('backend-misconfigured')],
  ])('iptvportal %s', async (_name, bytes, expected) => {
    connect('iptvportal', '');
    portal.answering = () => bytes;
    expect(await ask()).toMatchObject(expected);
  });

  const json = (status: string, body: string) => answer(status, ['Content-Type: application/json'], body);
  it.each<[string, string, object]>([
    ['error 0', json('200 OK', '{"error": 0}'), { kind: 'allow', status: 200 }],
    ['error "0"', json('200 OK', '{"error": "0", "more": [1]}'), { kind: 'allow' }],
    ['error 1', json('200 OK', '{"error": 1}'), { kind: 'deny', status: 403, reason: 'backend-denied' }],
    ['error 2', json('200 OK', '{"error": "2"}'), { kind: 'deny', status: 403 }],
    ['error 3 with 400', json('400 Bad Request', '{"error": 3}'), { kind: 'deny', status: 403 }],
    ['error 1 with 500', json('500 Oops', '{"error": 1}'), { kind: 'deny', status: 403 }],
    ['403', json('403 Forbidden', '{"error": 0}'), { kind: 'deny', status: 403 }],
    ['401 without JSON', answer('401 No', [], 'no'), { kind: 'deny', status: 401 }],
    ['another error', json('200 OK', '{"error": 9}'), FAILED('backend-malformed')],
    ['an error page', ok([], '<h1>It works!</h1>'), FAILED('backend-malformed')],
    ['nothing', ok(), FAILED('backend-malformed')],
    ['null', json('200 OK', 'null'), FAILED('backend-malformed')],
    ['a list', json('200 OK', '[0]'), FAILED('backend-malformed')],
    ['an empty error', json('200 OK', '{"error": ""}'), FAILED('backend-malformed')],
    ['error null', json('200 OK', '{"error": null}'), FAILED('backend-malformed')],
    ['error false', json('200 OK', '{"error": false}'), FAILED('backend-malformed')],
    ['error [0]', json('200 OK', '{"error": [0]}'), FAILED('backend-malformed')],
    ['error -0', json('200 OK', '{"error": -1}'), FAILED('backend-malformed')],
    ['error 0 with 404', json('404 Not Found', '{"error": 0}'), FAILED('backend-misconfigured')],
    ['502', answer('502 Bad Gateway', [], 'nginx'), FAILED('backend-error')],
    ['429', answer('429 Slow'), { kind: 'unavailable', because: 'us', reason: 'backend-busy' }],
    [
      'too much',
      json('200 OK', `{"error": 0, "more": "${'x'.repeat(70_000)}"}`),
      FAILED('backend-oversized'),
    ],
  ])('smarty answers %s', async (_name, bytes, expected) => {
    connect('smarty', '');
    portal.answering = () => bytes;
    expect(await ask()).toMatchObject(expected);
  });

  it('smarty gets the viewer’s own words and nothing added to them', async () => {
    connect('smarty', '');
    await adapter.ask(aCheck({ query: 'token=1&ip=10.0.0.1&name=a' }), { timeoutMs: 5_000 });
    expect(portal.requests[0]!.target).toBe(`${SMARTY}?token=1&ip=10.0.0.1&name=a`);
  });
});
