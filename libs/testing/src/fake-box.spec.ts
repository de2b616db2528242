import { eventually } from './eventually.js';
import { startFakeAstra } from './fake-astra.js';
import type { FakeAstra } from './fake-astra.js';
import { FakeBox } from './fake-box.js';
import type { FakeBoxOptions } from './fake-box.js';
import { startFakePortal } from './fake-portal.js';
import type { FakePortal } from './fake-portal.js';

let auth: FakePortal;
let astra: FakeAstra;
const waits: [ms: number, goOn: () => void][] = [];

beforeEach(async () => {
  waits.length = 0;
  auth = await startFakePortal();
  auth.allow();
  astra = await startFakeAstra({ auth: `${auth.url}/check`, user: 'usher', password: 'secret' });
});
afterEach(async () => {
  await astra.stop();
  await auth.stop();
});

const wait: FakeBoxOptions['wait'] = (ms) => new Promise<void>((goOn) => waits.push([ms, goOn]));

function aBox(): FakeBox {
  const query = (play: number): string => `token=t${play}`;
  return new FakeBox({ astra, channel: 'a001', ip: '192.0.2.9', ua: 'MAG250', query, wait });
}

function close(id: string): Promise<Response> {
  return fetch(`${astra.url}/control/`, {
    method: 'POST',
    body: JSON.stringify({ cmd: 'close-session', id }),
    headers: { Authorization: `Basic ${Buffer.from('usher:secret').toString('base64')}` },
  });
}

describe('FakeBox', () => {
  it('comes back a second after it was cut, under a new id and with a new token', async () => {
    const box = aBox();
    await box.switchOn();
    expect(box.playing).toBe(true);
    await close('1');
    expect(box.playing).toBe(false);
    await eventually(() => waits.length === 1);
    expect(waits[0]![0]).toBe(1_000);
    expect(box.plays).toHaveLength(1);
    waits[0]![1]();
    await eventually(() => box.plays.length === 2);
    expect(box.sessionId).toBe('2');
    expect(box.playing).toBe(true);
    expect(auth.requests.map(({ url }) => url)).toEqual(['/check?token=t1', '/check?token=t2']);
  });

  it('comes back after a restart of its Astra', async () => {
    const box = aBox();
    await box.switchOn();
    astra.restart();
    await eventually(() => waits.length === 1);
    waits[0]![1]();
    await eventually(() => box.plays.length === 2);
    expect(box.playing).toBe(true);
  });

  it('stays on its error page where it is refused', async () => {
    const box = aBox();
    await box.switchOn();
    auth.deny();
    await close('1');
    await eventually(() => waits.length === 1);
    waits[0]![1]();
    await eventually(() => box.plays.length === 2);
    expect(box.playing).toBe(false);
    expect(waits).toHaveLength(1);
  });

  it('stays away once it is switched off, and does not return to a channel that it left', async () => {
    const box = aBox();
    await box.switchOn();
    await close('1');
    await eventually(() => waits.length === 1);
    await box.switchOn('b002');
    waits[0]![1]();
    await box.switchOff();
    expect(box.plays).toHaveLength(2);
    expect(astra.sessions).toEqual([]);
    expect(waits).toHaveLength(1);
  });
});
