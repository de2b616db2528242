import type { Node as Member } from '#usher/bus';
import fc from 'fast-check';
import { peersOf, type Role } from './peers.js';

interface Process {
  readonly roles: readonly Role[];
  /** It has no lane for the backend: it does not reach it. */
  readonly isolated?: boolean;
}
const worker: Process = { roles: ['worker'] };
const gateway: Process = { roles: ['gateway'] };
const control: Process = { roles: ['control'] };
const all: Process = { roles: ['worker', 'gateway', 'control'] };
const isolated: Process = { roles: ['worker'], isolated: true };

/** The share of each of these, which all live and know of one another. */
function sharesOf(processes: readonly Process[]): number[] {
  const nodes = processes.map(({ roles, isolated: isAway }, at): Member => {
    const lanes = isAway === true ? {} : { 'check:portal': 3 };
    const about = { at: 0, host: 'host', version: '1' };
    return { id: `p${at}`, role: roles.join('+'), ...about, info: roles.includes('worker') ? { lanes } : {} };
  });
  return processes.map(({ roles }, at) =>
    peersOf({ nodes: () => nodes }, { id: `p${at}`, host: 'host' }, roles).callShare('portal'),
  );
}

describe('what the processes of a cluster may call together', () => {
  it.each([
    ['one process with all roles', [all], [1]],
    ['two of them', [all, all], [1 / 2, 1 / 2]],
    ['two workers and two gateways', [worker, worker, gateway, gateway], [7 / 16, 7 / 16, 1 / 16, 1 / 16]],
    ['gateways alone', [gateway, gateway, gateway], [1 / 3, 1 / 3, 1 / 3]],
    ['gateways whose only worker does not reach it', [gateway, gateway, isolated], [1 / 2, 1 / 2, 7 / 8]],
    ['a worker beside one that does not reach it', [worker, isolated], [1, 1 / 2]],
    ['a worker, a gateway and control', [worker, gateway, control], [27 / 32, 1 / 8, 1 / 32]],
    ['control and a gateway', [control, gateway], [1 / 32, 31 / 32]],
    ['control alone', [control], [1]],
  ])('%s', (_, processes, shares) => {
    const found = sharesOf(processes);
    for (const [at, share] of shares.entries()) expect(found[at]).toBeCloseTo(share);
  });

  it('comes to all of it, whoever lives', () => {
    const some = fc.array(fc.constantFrom(worker, gateway, control, all), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(some, (processes) => {
        const shares = sharesOf(processes);
        expect(shares.every((share) => share > 0)).toBe(true);
        expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1);
      }),
    );
  });

  it('is nearly all the workers’ while they take what is asked', () => {
    const [first = 0, second = 0] = sharesOf([worker, worker, ...Array<Process>(50).fill(gateway)]);
    expect(first + second).toBeCloseTo(7 / 8);
  });

  it('counts a process that has not beaten yet: itself', () => {
    const peers = (role: Role) => peersOf({ nodes: () => [] }, { id: 'me', host: 'host' }, [role]);
    expect(
      (['worker', 'gateway', 'control'] as const).map((role) => peers(role).callShare('portal')),
    ).toEqual([1, 1, 1]);
  });
});
