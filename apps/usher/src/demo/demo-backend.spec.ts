import { startDemoBackend, type DemoBackend } from './demo-backend.js';

let demo: DemoBackend;
beforeEach(async () => {
  demo = await startDemoBackend({ port: 0 });
});
afterEach(() => demo.close());

const check = (query: string) => fetch(`${demo.origin}/check?${query}`);
const post = (path: string) => fetch(demo.origin + path, { method: 'POST' });

describe('the demo backend', () => {
  it('allows token=123 and names the user', async () => {
    const answer = await check('token=123');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-session-name')).toBe('demo-user');
  });

  it('denies any other token, and none', async () => {
    expect((await check('token=124')).status).toBe(403);
    expect((await check('')).status).toBe(403);
  });

  it('is down from /stop to /start', async () => {
    await post('/stop');
    await expect(check('token=123')).rejects.toThrow('fetch failed');
    await post('/start');
    expect((await check('token=123')).status).toBe(200);
  });

  it('takes another port where its own is taken', async () => {
    const other = await startDemoBackend({ port: Number(new URL(demo.origin).port) });
    try {
      expect(other.origin).not.toBe(demo.origin);
    } finally {
      await other.close();
    }
  });
});
