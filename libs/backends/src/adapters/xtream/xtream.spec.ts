import fc from 'fast-check';
import type { Check } from '#usher/domain';
import { aBackend, aCheck, clock as real } from '../../../test/checks.js';
import { answer, ok, RawPortal } from '../../../test/raw-portal.js';
import { outcomeOf } from '../../breaker/outcome.js';
import type { Adapter, AskOptions } from '../adapter.js';
import { createAdapter } from '../create-adapter.js';

/** Generous: a busy machine still answers within it. */
const TIMEOUT = 5_000;
/** 2026-11-24. */
const NOW = 1_795_500_000;

let panel: RawPortal;
let adapter: Adapter;

beforeEach(async () => {
  panel = await RawPortal.start();
  panel.answering = () => ok([], JSON.stringify(ACTIVE));
  adapter = adapterFor('');
});
afterEach(async () => {
  await adapter.close();
  await panel.close();
});

function adapterFor(path: string, settings: Record<string, unknown> = {}): Adapter {
  const config = aBackend({ type: 'xtream', url: panel.url + path, ...settings });
  return createAdapter('panel', config, { clock: { ...real, now: () => NOW * 1000 } });
}

async function using(other: Adapter): Promise<void> {
  await adapter.close();
  adapter = other;
}

const viewer = (parts: Partial<Check> = {}): Check =>
  aCheck({ path: '/live/anna/s3cret/17.ts', query: '', ...parts });
const ask = (parts: Partial<Check> = {}, options: Partial<AskOptions> = {}) =>
  adapter.ask(viewer(parts), { timeoutMs: TIMEOUT, ...options });

/** As a panel writes it: numbers as text. */
const INFO = {
  username: 'anna',
  password: 's3cret',
  message: '',
  auth: 1,
  status: 'Active',
  exp_date: String(NOW + 86_400),
  is_trial: '0',
  active_cons: '0',
  created_at: '1628755200',
  max_connections: '2',
  allowed_output_formats: ['m3u8', 'ts'],
};
const ACTIVE = { user_info: INFO, server_info: { url: 'tv.example.com', port: '80', process: true } };
const says = (parts: Record<string, unknown>): string => JSON.stringify({ user_info: { ...INFO, ...parts } });
const without = (key: string): string => says({ [key]: undefined });

describe('the question', () => {
  it('is the panel’s, and names nobody but the account', async () => {
    await ask();
    expect(panel.requests[0]!.text.split('\r\n').filter((line) => !/^connection:/i.test(line))).toEqual([
      'GET /player_api.php?username=anna&password=s3cret HTTP/1.1',
      `host: ${panel.url.slice('http://'.length)}`,
      'Accept: */*',
      'User-Agent: Usher',
      '',
      '',
    ]);
  });

  it.each([
    ['', '/player_api.php?username'],
    ['/', '/player_api.php?username'],
    ['/panel', '/panel/player_api.php?username'],
    ['/panel/player_api.php', '/panel/player_api.php?username'],
    ['/x/panel_api.php?key=1', '/x/panel_api.php?key=1&username'],
  ])('goes to the address %j as %s', async (path, target) => {
    await using(adapterFor(path));
    await ask();
    expect(panel.requests[0]!.target).toBe(`${target}=anna&password=s3cret`);
  });

  it.each<Partial<Check>>([
    { path: '/live/anna/s3cret/17.m3u8' },
    { path: '/movie/anna/s3cret/55.mp4' },
    { path: '/series/anna/s3cret/55.mkv' },
    { path: '/timeshift/anna/s3cret/60/2026-11-24:10-00/17.ts' },
    { path: '/anna/s3cret/17' },
    { path: '/hls/anna/s3cret/17/0a1b/17_1.ts' },
    { path: '/play/a001/index.m3u8', query: 'username=anna&password=s3cret' },
    { path: 'a001', authorization: 'Basic YW5uYTpzM2NyZXQ=' },
    { path: '/live/anna/s3cret/17.ts', query: 'username=bob&password=b' },
  ])('takes the login from %j', async (parts) => {
    await ask(parts);
    expect(panel.requests[0]!.target).toBe('/player_api.php?username=anna&password=s3cret');
  });

  it('keeps hostile bytes inside their value', async () => {
    await ask({ path: '/live/a%26password=x%0d%0a/%23b%20%3F%00%/17.ts' });
    expect(panel.requests[0]!.target).toBe(
      '/player_api.php?username=a%26password%3Dx%0D%0A&password=%23b%20%3F%00%25',
    );
    const any = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 40 })
      .filter((text) => !/[/?]/.test(text));
    await fc.assert(
      fc.asyncProperty(any, any, async (user, password) => {
        await ask({ path: `/live/${user}/${password}/17.ts` });
        const { target, text } = panel.requests.at(-1)!;
        expect(target).toMatch(/^\/player_api\.php\?username=[A-Za-z0-9._~%-]+&password=[A-Za-z0-9._~%-]+$/);
        expect(text.split('\r\n')).toHaveLength(7);
      }),
      { numRuns: 200 },
    );
  });

  it('is not asked for whom no login is known: he is denied, and no breaker hears of it', async () => {
    for (const parts of [
      { path: '/play/a001/index.m3u8', query: 'token=1' },
      { path: '' },
      { path: '/live/a/1.ts' },
    ]) {
      const told = await ask(parts);
      expect(told).toMatchObject({ kind: 'deny', reason: 'no-credentials', status: 403 });
      expect(outcomeOf(told)).toBe('none');
    }
    expect(panel.requests).toEqual([]);
  });

  it('is the same for all channels, addresses and players of one account, and for no other account', () => {
    const key = adapter.questionKey(viewer());
    for (const parts of [
      { path: '/live/anna/s3cret/18.m3u8' },
      { path: '/anna/%733cret/18' },
      { path: '', query: 'password=s3cret&username=anna' },
      { ip: '192.0.2.8', channel: 'b002', userAgent: 'other', sessionId: '7' },
    ]) {
      expect(adapter.questionKey(viewer(parts))).toBe(key);
    }
    for (const path of [
      '/live/annas/3cret/17.ts',
      '/live/anna/s3creT/17.ts',
      '/live/anna%26/s3cret/17.ts',
      '',
    ]) {
      expect(adapter.questionKey(viewer({ path }))).not.toBe(key);
    }
  });
});

describe('the answer', () => {
  const DENIED = { kind: 'deny', reason: 'backend-denied', status: 403 };
  const FAILED = (reason: string) => ({ kind: 'unavailable', because: 'backend', reason });
  const UNTIL = (NOW + 86_400) * 1000;

  it('names the user, his connections and his end', async () => {
    expect(await ask()).toMatchObject({
      kind: 'allow',
      backend: 'panel',
      user: 'anna',
      sessionName: 'anna',
      maxSessions: 2,
      until: UNTIL,
      status: 200,
    });
    expect(await ask()).not.toHaveProperty('authDuration');
  });

  it.each<[string, string, object]>([
    ['auth "1"', says({ auth: '1' }), { kind: 'allow' }],
    ['auth true', says({ auth: true }), { kind: 'allow' }],
    ['auth 0', says({ auth: 0 }), DENIED],
    ['auth "0"', says({ auth: '0' }), DENIED],
    ['auth false', says({ auth: false }), DENIED],
    ['auth null', says({ auth: null }), DENIED],
    ['auth ""', says({ auth: '' }), DENIED],
    ['auth [1]', says({ auth: [1] }), DENIED],
    ['auth 2', says({ auth: 2 }), DENIED],
    ['no auth', without('auth'), DENIED],
    ['a trial', says({ status: 'Trial' }), { kind: 'allow' }],
    ['another case', says({ status: ' active ' }), { kind: 'allow' }],
    ['Banned', says({ status: 'Banned' }), DENIED],
    ['Disabled', says({ status: 'Disabled' }), DENIED],
    ['Expired', says({ status: 'Expired' }), DENIED],
    ['status null', says({ status: null }), DENIED],
    ['no status', without('status'), DENIED],
    ['an end that is past', says({ exp_date: String(NOW) }), DENIED],
    ['an end that is past, a number', says({ exp_date: NOW - 1 }), DENIED],
    ['an end in the next second', says({ exp_date: NOW + 1 }), { kind: 'allow', until: (NOW + 1) * 1000 }],
    ['an end in milliseconds', says({ exp_date: UNTIL }), { kind: 'allow', until: UNTIL }],
    ['an end in milliseconds that is past', says({ exp_date: String(NOW * 1000) }), DENIED],
    ['exp_date null', says({ exp_date: null }), { kind: 'allow', until: undefined }],
    ['exp_date 0', says({ exp_date: 0 }), { kind: 'allow', until: undefined }],
    ['exp_date "0"', says({ exp_date: '0' }), { kind: 'allow', until: undefined }],
    ['exp_date ""', says({ exp_date: '' }), { kind: 'allow', until: undefined }],
    ['exp_date as words', says({ exp_date: 'Unlimited' }), { kind: 'allow', until: undefined }],
    ['no exp_date', without('exp_date'), { kind: 'allow', until: undefined }],
    ['max_connections as a number', says({ max_connections: 3 }), { kind: 'allow', maxSessions: 3 }],
    ['max_connections "0"', says({ max_connections: '0' }), { kind: 'allow', maxSessions: undefined }],
    ['max_connections null', says({ max_connections: null }), { kind: 'allow', maxSessions: undefined }],
    ['max_connections -1', says({ max_connections: -1 }), { kind: 'allow', maxSessions: undefined }],
    ['no max_connections', without('max_connections'), { kind: 'allow', maxSessions: undefined }],
    ['all connections taken', says({ active_cons: '2' }), { kind: 'allow', maxSessions: 2 }],
    ['a name as the panel has it', says({ username: 'Anna' }), { user: 'Anna', sessionName: 'Anna' }],
    ['a name of digits', says({ username: 17 }), { user: '17' }],
    ['a name beyond ASCII', says({ username: 'Ж' }), { user: '\xd0\x96' }],
    ['no name', without('username'), { user: 'anna' }],
    ['a name that nobody can keep', says({ username: 'x'.repeat(300) }), { user: 'anna' }],
    ['a bad login', '{"user_info":{"auth":0}}', DENIED],
    ['a bad login without words', '{"user_info":[]}', DENIED],
    ['a bad login as null', '{"user_info":null}', DENIED],
    ['a bad login as false', '{"user_info":false,"server_info":{}}', DENIED],
    ['a mark before it', `\uFEFF${says({})}`, { kind: 'allow' }],
    ['a page', '<html>Maintenance</html>', FAILED('backend-malformed')],
    ['nothing', '', FAILED('backend-malformed')],
    ['JSON without user_info', '{"server_info":{}}', FAILED('backend-malformed')],
    ['a list', '[]', FAILED('backend-malformed')],
    ['null', 'null', FAILED('backend-malformed')],
    ['half an answer', says({}).slice(0, 40), FAILED('backend-malformed')],
    ['too much', says({ message: 'x'.repeat(70_000) }), FAILED('backend-oversized')],
  ])('%s', async (_name, body, expected) => {
    panel.answering = () => ok(['Content-Type: application/json'], body);
    expect(await ask()).toMatchObject(expected);
  });

  it.each<[string, string, object]>([
    ['404 is a denial', answer('404 Not Found', [], says({})), { kind: 'deny', status: 404 }],
    ['403', answer('403 No'), { kind: 'deny', status: 403 }],
    ['401 with a good account', answer('401 No', [], says({})), { kind: 'deny', status: 401 }],
    [
      'a 302, perhaps to a log-in page',
      answer('302 Found', ['Location: http://tv.example.com/login']),
      FAILED('backend-misconfigured'),
    ],
    ['429', answer('429 Slow'), { kind: 'unavailable', because: 'us', reason: 'backend-busy' }],
    ['500', answer('500 Oops', [], '{"user_info":{"auth":0}}'), FAILED('backend-error')],
    [
      'headers of another contract say nothing',
      ok(['X-UserId: 1', 'X-AuthDuration: 5'], says({})),
      { user: 'anna' },
    ],
  ])('%s', async (_name, bytes, expected) => {
    panel.answering = () => bytes;
    const told = await ask();
    expect(told).toMatchObject(expected);
    expect(told).not.toHaveProperty('authDuration');
  });

  it('otherStatus failed: a 404 is a wrong address', async () => {
    await using(adapterFor('', { otherStatus: 'failed' }));
    panel.answering = () => answer('404 Not Found');
    expect(await ask()).toMatchObject(FAILED('backend-misconfigured'));
  });

  it.each<[Record<string, unknown>, string]>([
    [{ active_cons: '1' }, 'allow'],
    [{ active_cons: '2' }, 'deny'],
    [{ active_cons: 3, max_connections: 2 }, 'deny'],
    [{ active_cons: '5', max_connections: '0' }, 'allow'],
    [{ active_cons: null }, 'allow'],
  ])('activeConnections refuse: %j is %s', async (parts, kind) => {
    await using(adapterFor('', { activeConnections: 'refuse' }));
    panel.answering = () => ok([], says(parts));
    expect(await ask()).toMatchObject({ kind });
  });

  it('never shows a password in what it says', async () => {
    const troubles = [
      'Hello?\r\n\r\n',
      answer('500 s3cret'),
      ok([], 's3cret'),
      answer('302 Found'),
      answer('418 s3cret'),
    ];
    for (const bytes of troubles) {
      panel.answering = () => bytes;
      expect(JSON.stringify(await ask())).not.toContain('s3cret');
    }
  });
});
