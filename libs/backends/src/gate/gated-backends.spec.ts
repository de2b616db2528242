import type { Question } from '#usher/domain';
import { eventually } from '#usher/testing';
import { aBackend, aCheck, clock } from '../../test/checks.js';
import { ToldBackend, allow, deny, fail, gatesAround } from '../../test/gates.js';
import { RawPortal } from '../../test/raw-portal.js';
import { createAdapter } from '../adapters/create-adapter.js';
import { CallCancelled } from '../http/exchange-error.js';
import { GatedBackends } from './gated-backends.js';
import type { Gates } from './open-gates.js';

const ANY = { policy: 'any', backends: ['portal', 'billing'] } as const;
const FIRST = { ...ANY, policy: 'first' } as const;
const REST = { partial: 'known', onDeny: 'stop' } as const;

function question(target: string, more: Partial<Question> = {}): Question {
  const identity = { fingerprint: 'f', viewerKey: 'v' };
  return { check: aCheck(), identity, target, known: false, deadline: clock.now() + 5_000, ...more };
}

function grouped() {
  const portal = new ToldBackend('portal');
  const billing = new ToldBackend('billing');
  portal.answer = () => allow('portal');
  billing.answer = () => allow('billing');
  const settings = { breaker: { consecutive: 1, openFor: 10, rampStep: 60_000, probes: 1 } };
  const open = gatesAround([portal, billing], settings, {}, { any: ANY, first: FIRST });
  const groups = {
    any: { ...ANY, ...REST, backends: [...ANY.backends] },
    first: { ...FIRST, ...REST, backends: [...FIRST.backends] },
  };
  return { portal, billing, ...open, backends: new GatedBackends(open.gates, groups, clock) };
}

async function halfOpen(backend: ToldBackend, { gates }: Gates): Promise<void> {
  const { answer } = backend;
  backend.answer = () => fail(backend.name);
  await gates.get(backend.name)!.ask(aCheck(), { deadline: clock.monotonic() + 1_000, known: false });
  await eventually(() => gates.get(backend.name)!.status().state === 'half-open');
  backend.answer = answer;
}

describe('gated backends', () => {
  it('ask the backend or the group that the question names', async () => {
    const { portal, billing, backends, board } = grouped();
    portal.answer = () => deny('portal');
    expect(await backends.ask(question('portal'))).toMatchObject({ kind: 'deny', backend: 'portal' });
    expect(billing.calls).toBe(0);
    expect(await backends.ask(question('any'))).toMatchObject({ kind: 'allow', backend: 'billing' });
    await expect(backends.ask(question('nobody'))).rejects.toThrow('there is no backend or group nobody');
    board.stop();
  });

  it('keep the deadline of the question, which is in cluster time', async () => {
    const { backends, portal, board } = grouped();
    expect(await backends.ask(question('portal', { deadline: clock.now() - 1 }))).toMatchObject({
      kind: 'unavailable',
      because: 'us',
      reason: 'deadline',
    });
    expect(portal.calls).toBe(0);
    board.stop();
  });

  it('leave out the members that the breaker keeps back', async () => {
    const { backends, portal, board } = grouped();
    expect(await backends.ask(question('any', { skip: ['portal'] }))).toMatchObject({ backend: 'billing' });
    expect(portal.calls).toBe(0);
    board.stop();
  });

  it('prove a half-open member by a question that another member answers first', async () => {
    const open = grouped();
    const { backends, portal, board, gates } = open;
    await halfOpen(portal, open);
    const admission = await board.admit('any', false);
    expect(admission).toMatchObject({ kind: 'ask', probes: { portal: expect.any(String) }, skip: [] });
    portal.answer = (_, { signal }) =>
      new Promise((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new CallCancelled()));
        setTimeout(() => resolve(deny('portal')), 30);
      });
    const asked = question('any', admission.kind === 'ask' ? { probes: admission.probes } : {});
    expect(await backends.ask(asked)).toMatchObject({ kind: 'allow', backend: 'billing' });
    await eventually(() => gates.get('portal')!.status().state === 'ramping');
    board.stop();
  });

  it('take no lease for a member that is asked only if an earlier one cannot answer', async () => {
    const open = grouped();
    const { billing, board } = open;
    await halfOpen(billing, open);
    expect(await board.admit('first', false)).toEqual({ kind: 'ask' });
    expect(await board.admit('billing', false)).toMatchObject({ kind: 'ask', probes: {} });
    board.stop();
  });

  it('suspend a portal that hangs, and one that resets connections', async () => {
    for (const misbehave of [undefined, 'reset']) {
      const portal = await RawPortal.start();
      portal.answering = () => undefined;
      if (misbehave === 'reset') portal.connected = (socket) => socket.resetAndDestroy();
      const config = { ...aBackend({ type: 'http', url: portal.url }), timeout: 100 };
      const adapter = createAdapter('portal', config, { clock });
      const { gates, board } = gatesAround([adapter], { timeout: 100, breaker: { openFor: 60_000 } });
      const gate = gates.get('portal')!;
      const asks = Array.from({ length: 5 }, () =>
        gate.ask(aCheck(), { deadline: clock.monotonic() + 5_000, known: false }),
      );
      for (const answer of await Promise.all(asks)) expect(answer).toMatchObject({ because: 'backend' });
      await eventually(() => gate.status().state === 'suspended');
      board.stop();
      await adapter.close();
      await portal.close();
    }
  });
});
