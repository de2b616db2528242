import fc from 'fast-check';
import type { BackendAnswer } from '#usher/domain';
import { clock } from '../test/checks.js';
import { askGroup, type GroupMember } from './group.js';

const ANY = { policy: 'any', partial: 'known', onDeny: 'stop' } as const;
const FIRST = { policy: 'first', partial: 'known', onDeny: 'stop' } as const;

const allow = (backend: string): BackendAnswer => ({
  kind: 'allow',
  backend,
  reason: 'backend-allowed',
  status: 200,
  tookMs: 1,
});
const deny = (backend: string, address?: string): BackendAnswer => ({
  kind: 'deny',
  backend,
  reason: address === undefined ? 'backend-denied' : 'backend-redirected',
  status: address === undefined ? 403 : 302,
  redirect: address === undefined ? undefined : { header: 'Location', address },
  tookMs: 1,
});
const unavailable = (backend: string, because: 'backend' | 'us' = 'backend'): BackendAnswer => ({
  kind: 'unavailable',
  backend,
  because,
  reason: because === 'us' ? 'bulkhead-full' : 'backend-timeout',
  detail: 'no answer',
  tookMs: 1,
});

interface Told extends GroupMember {
  asked: number;
  signal?: AbortSignal;
}

/** A member that says this at once. */
function saying(answer: BackendAnswer): Told {
  const member: Told = {
    name: answer.backend,
    asked: 0,
    ask: async (signal) => {
      member.asked += 1;
      member.signal = signal;
      return answer;
    },
  };
  return member;
}

/** A member that never says anything; when cancelled it rejects, as an adapter does. */
function hanging(name: string): Told {
  const member: Told = {
    name,
    asked: 0,
    ask: (signal) => {
      member.asked += 1;
      member.signal = signal;
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new DOMException('cancelled', 'AbortError')));
      });
    },
  };
  return member;
}

describe('any', () => {
  it('lets in on the first allow, cancels the rest and waits for nobody', async () => {
    const slow = hanging('b');
    const answer = await askGroup('g', ANY, [saying(deny('a')), slow, saying(allow('c'))], clock);
    expect(answer).toMatchObject({ kind: 'allow', backend: 'c' });
    expect(slow.signal!.aborted).toBe(true);
  });

  it('denies if every member denies, with the first one’s status', async () => {
    const answer = await askGroup(
      'g',
      ANY,
      [saying({ ...deny('a'), status: 401 } as BackendAnswer), saying(deny('b'))],
      clock,
    );
    expect(answer).toMatchObject({ kind: 'deny', backend: 'g', reason: 'group-denied', status: 401 });
    expect(answer).not.toHaveProperty('unlessKnownAt');
  });

  it('shows the address of the first member that has one, in the configured order', async () => {
    const members = [saying(deny('a')), saying(deny('b', '/promo')), saying(deny('c', '/other'))];
    const answer = await askGroup('g', ANY, members, clock);
    expect(answer).toMatchObject({ status: 302, redirect: { header: 'Location', address: '/promo' } });
  });

  const mixed = () => [saying(unavailable('a')), saying(deny('b')), saying(unavailable('c', 'us'))];

  it('partial known: a denial that names the members that could not be asked', async () => {
    const answer = await askGroup('g', ANY, mixed(), clock);
    expect(answer).toMatchObject({
      kind: 'deny',
      reason: 'group-partial',
      backend: 'g',
      unlessKnownAt: ['a', 'c'],
    });
  });

  it('partial deny: a plain denial', async () => {
    const answer = await askGroup('g', { ...ANY, partial: 'deny' }, mixed(), clock);
    expect(answer).toMatchObject({ kind: 'deny', reason: 'group-partial' });
    expect(answer).not.toHaveProperty('unlessKnownAt');
  });

  it('partial unavailable: no decision', async () => {
    const answer = await askGroup('g', { ...ANY, partial: 'unavailable' }, mixed(), clock);
    expect(answer).toMatchObject({ kind: 'unavailable', because: 'backend', backend: 'g' });
  });

  it('is unavailable because of the backends if one of them is, else because of us', async () => {
    const both = await askGroup('g', ANY, [saying(unavailable('a', 'us')), saying(unavailable('b'))], clock);
    expect(both).toMatchObject({ kind: 'unavailable', because: 'backend', reason: 'backend-timeout' });
    const us = await askGroup('g', ANY, [saying(unavailable('a', 'us'))], clock);
    expect(us).toMatchObject({ kind: 'unavailable', because: 'us', reason: 'bulkhead-full' });
  });

  it('takes a member that throws for unavailable because us, and goes on', async () => {
    const broken: GroupMember = { name: 'a', ask: () => Promise.reject(new Error('token=s3cret')) };
    const alone = await askGroup('g', ANY, [broken], clock);
    expect(alone).toMatchObject({ kind: 'unavailable', because: 'us', reason: 'internal' });
    expect(JSON.stringify(alone)).not.toContain('s3cret');
    const beside = await askGroup('g', ANY, [broken, saying(allow('b'))], clock);
    expect(beside).toMatchObject({ kind: 'allow', backend: 'b' });
  });

  it('never makes an allow out of anything but an allow, nor loses one', async () => {
    const kinds = fc.array(fc.constantFrom('allow', 'deny', 'unavailable'), { minLength: 1, maxLength: 6 });
    const policies = fc.constantFrom('any', 'first');
    const partials = fc.constantFrom('known', 'unavailable', 'deny');
    await fc.assert(
      fc.asyncProperty(kinds, policies, partials, async (told, policy, partial) => {
        const members = told.map((kind, i) =>
          saying(kind === 'allow' ? allow(`${i}`) : kind === 'deny' ? deny(`${i}`) : unavailable(`${i}`)),
        );
        const answer = await askGroup('g', { policy, partial, onDeny: 'next' } as const, members, clock);
        expect(answer.kind === 'allow').toBe(told.includes('allow'));
        if (answer.kind === 'deny') expect(told).toContain('deny');
      }),
    );
  });
});

describe('first', () => {
  it('asks the next member only when one is unavailable', async () => {
    const last = saying(allow('c'));
    const answer = await askGroup('g', FIRST, [saying(unavailable('a')), saying(allow('b')), last], clock);
    expect(answer).toMatchObject({ kind: 'allow', backend: 'b' });
    expect(last.asked).toBe(0);
  });

  it('onDeny stop: a denial ends it, as the member said it', async () => {
    const last = saying(allow('b'));
    const answer = await askGroup('g', FIRST, [saying(deny('a')), last], clock);
    expect(answer).toMatchObject({ kind: 'deny', backend: 'a', reason: 'backend-denied' });
    expect(last.asked).toBe(0);
  });

  it('onDeny next: the next member may still allow', async () => {
    const answer = await askGroup(
      'g',
      { ...FIRST, onDeny: 'next' },
      [saying(deny('a')), saying(allow('b'))],
      clock,
    );
    expect(answer).toMatchObject({ kind: 'allow', backend: 'b' });
  });

  it('onDeny next: denials beside a silent member are partial', async () => {
    const members = [saying(deny('a')), saying(unavailable('b'))];
    const answer = await askGroup('g', { ...FIRST, onDeny: 'next' }, members, clock);
    expect(answer).toMatchObject({ kind: 'deny', reason: 'group-partial', unlessKnownAt: ['b'] });
  });
});

it('refuses a group without members', async () => {
  await expect(askGroup('g', ANY, [], clock)).rejects.toThrow('the group g has no members');
});
