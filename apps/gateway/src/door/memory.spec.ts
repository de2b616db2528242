import type { IncomingMessage } from 'node:http';
import { KeptDecisions, type Kept } from '#usher/decisions';
import { CheckMetrics, Metrics } from '#usher/observe';
import { ManualClock } from '#usher/testing';
import { Memory } from './memory.js';

it('long requests fill no memory: fewer of them are remembered', () => {
  const clock = new ManualClock();
  const style = { answerHeaders: true, draining: false };
  const metrics = new CheckMetrics(new Metrics());
  const memory = new Memory(new KeptDecisions(clock, 100), metrics, style, () => 'id', 100);
  const denied: Kept = {
    name: 'astra-1/42',
    fingerprint: 'f',
    decision: { allow: false, source: 'cache', reason: 'backend-denied' },
    session: undefined,
    standIn: false,
    until: 10_000,
    generation: 0,
    seen: false,
  };
  const remember = (url: string): void => {
    const request = {
      url,
      headers: {},
      socket: { remoteAddress: '192.0.2.1' },
    } as unknown as IncomingMessage;
    memory.keep(request, 'astra', denied, { status: 403, headers: {} });
  };
  for (let i = 0; i < 100; i += 1) remember(`/check?token=${i}`);
  expect(memory.size).toBe(100);
  for (let i = 0; i < 100; i += 1) remember(`/check?token=${'x'.repeat(8_000)}${i}`);
  expect(memory.size).toBeLessThan(20);
});
