import type { GuardConfig } from '#usher/config';
import type { BackendAnswer } from '#usher/domain';
import { ManualClock } from '#usher/testing';
import { reportOfAll, type GuardReport } from './guard-report.js';
import { Guard } from './guard.js';
import type { CanarySuspicion, ShareSuspicion } from './suspicion.js';

const SETTINGS: GuardConfig = { policy: 'announce', knownDenied: 20, times: 5, minimum: 50 };
const ALLOW: BackendAnswer = {
  kind: 'allow',
  backend: 'portal',
  reason: 'backend-allowed',
  status: 200,
  tookMs: 1,
};
const DENY: BackendAnswer = {
  kind: 'deny',
  backend: 'portal',
  reason: 'backend-denied',
  status: 403,
  tookMs: 1,
};

function guarded(settings: Partial<GuardConfig> = {}) {
  const clock = new ManualClock();
  const heard: (ShareSuspicion | undefined)[] = [];
  let canaries: CanarySuspicion | undefined;
  const guard = new Guard({
    backend: 'portal',
    config: { ...SETTINGS, ...settings },
    clock,
    onSuspicious: (suspicion) => heard.push(suspicion),
    canaries: () => canaries,
  });
  const show = (shown: Partial<CanarySuspicion> | undefined): void => {
    canaries = shown && { kind: 'canary', wrong: [], proven: [], since: 1, until: 2, ...shown };
  };
  /** Ten answers a second for so many seconds, of which so many of each hundred are denials. */
  const answers = (seconds: number, percentDenied: number, known = true): BackendAnswer[] =>
    Array.from({ length: seconds * 10 }, (_, place) => {
      clock.advance(100);
      const denied = (place * 37) % 100 < percentDenied;
      return guard.pass(denied ? DENY : ALLOW, known);
    });
  return { clock, guard, heard, show, answers };
}

describe('the guard', () => {
  it('is quiet about a backend that goes on as usual', () => {
    const { heard, answers } = guarded();
    answers(1_200, 10);
    answers(600, 15);
    expect(heard).toEqual([]);
  });

  it('announces within a minute that known viewers are denied', () => {
    const { clock, heard, answers } = guarded();
    answers(600, 1);
    const since = clock.monotonic();
    answers(60, 100);
    expect(heard).toHaveLength(1);
    expect(heard[0]).toMatchObject({ kind: 'known-denied' });
    expect(heard[0]!.percent).toBeGreaterThan(20);
    expect(heard[0]!.usualPercent).toBeCloseTo(1, 0);
    expect(heard[0]!.since - clock.now()).toBeGreaterThan(since - clock.monotonic());
  });

  it('takes a share for usual that was so for hours', () => {
    const { heard, answers } = guarded();
    answers(3_600, 15);
    expect(heard).toEqual([]);
    answers(120, 60);
    expect(heard).toEqual([]);
    answers(120, 95);
    expect(heard).toHaveLength(1);
  });

  it('says nothing about few answers, or about viewers whom nobody knew', () => {
    const { heard, answers } = guarded();
    answers(4, 100);
    answers(60, 100, false);
    expect(heard).toEqual([]);
  });

  it('announces that a backend which refused many refuses nobody', () => {
    const { heard, answers } = guarded();
    answers(600, 30, false);
    answers(70, 0, false);
    expect(heard).toMatchObject([{ kind: 'all-allowed' }]);
    answers(120, 30, false);
    expect(heard.at(-1)).toBeUndefined();
    expect(heard).toHaveLength(2);
  });

  it('says when it is over', () => {
    const { guard, heard, answers } = guarded();
    answers(600, 1);
    answers(60, 100);
    answers(70, 1);
    expect(heard).toHaveLength(2);
    expect(heard[1]).toBeUndefined();
    expect(guard.suspicion).toBeUndefined();
  });

  it('leaves answers as they are where it only announces', () => {
    const { answers } = guarded();
    expect(answers(120, 100).every((answer) => answer === DENY)).toBe(true);
  });

  it('takes denials for failures where it is told to, and lets allows pass', () => {
    const { guard, answers } = guarded({ policy: 'treat-as-failed' });
    answers(60, 100);
    expect(guard.pass(DENY, false)).toMatchObject({
      kind: 'unavailable',
      because: 'backend',
      reason: 'backend-suspicious',
      status: 403,
    });
    expect(guard.pass(ALLOW, true)).toBe(ALLOW);
  });

  it('is cleared by the probes of known viewers when nobody else asks', () => {
    const { clock, guard, heard } = guarded({ policy: 'treat-as-failed' });
    for (let call = 0; call < 60; call += 1) guard.pass(DENY, true);
    clock.advance(65_000);
    expect(guard.pass(DENY, true).kind).toBe('unavailable');
    clock.advance(65_000);
    expect(guard.pass(ALLOW, true)).toBe(ALLOW);
    expect(heard.at(-1)).toBeDefined();
    guard.pass(ALLOW, true);
    expect(heard.at(-1)).toBeUndefined();
    expect(guard.pass(DENY, true)).toBe(DENY);
  });

  it('ends after ten minutes without an answer to a known viewer, and after hours takes it for usual', () => {
    const quiet = guarded();
    quiet.answers(60, 100);
    quiet.clock.advance(601_000);
    quiet.guard.pass(DENY, false);
    expect(quiet.guard.suspicion).toBeUndefined();

    const lasting = guarded();
    for (let minute = 0; minute < 6 * 60 + 2; minute += 1) {
      lasting.clock.advance(60_000);
      for (let call = 0; call < 60; call += 1) lasting.guard.pass(DENY, true);
    }
    expect(lasting.heard).toHaveLength(2);
    expect(lasting.heard.at(-1)).toBeUndefined();
  });

  it('believes no allow while the must-deny canary is allowed, and no denial while the must-allow is denied', () => {
    const { guard, show } = guarded({ policy: 'treat-as-failed' });
    const failed = { kind: 'unavailable', because: 'backend', reason: 'backend-suspicious' };
    show({ wrong: ['deny'], proven: ['deny'] });
    expect(guard.pass(ALLOW, true)).toMatchObject({
      ...failed,
      detail: 'portal: it allows its must-deny canary',
    });
    expect(guard.pass(DENY, true)).toBe(DENY);
    show({ wrong: ['allow'], proven: ['allow'] });
    expect(guard.pass(DENY, true)).toMatchObject({ ...failed, status: 403 });
    expect(guard.pass(ALLOW, true)).toBe(ALLOW);
    show({ wrong: ['allow', 'deny'], proven: ['allow', 'deny'] });
    expect([ALLOW, DENY].map((answer) => guard.pass(answer, true).kind)).toEqual([
      'unavailable',
      'unavailable',
    ]);
    show(undefined);
    expect([ALLOW, DENY].map((answer) => guard.pass(answer, true))).toEqual([ALLOW, DENY]);
  });

  it('believes the backend rather than a canary that was never right, and where it only announces', () => {
    const unproven = guarded({ policy: 'treat-as-failed' });
    unproven.show({ wrong: ['allow', 'deny'], proven: [] });
    expect(unproven.guard.pass(DENY, true)).toBe(DENY);
    expect(unproven.guard.suspicion).toMatchObject({ kind: 'canary' });
    const announcing = guarded();
    announcing.show({ wrong: ['allow', 'deny'], proven: ['allow', 'deny'] });
    expect(announcing.guard.pass(ALLOW, true)).toBe(ALLOW);
  });

  it('does not take for usual what is answered while the canaries are wrong', () => {
    const { heard, show, answers } = guarded();
    answers(600, 30, false);
    show({ wrong: ['deny'], proven: ['deny'] });
    answers(3_600, 0, false);
    expect(heard).toMatchObject([{ kind: 'all-allowed', usualPercent: expect.closeTo(30, 0) }]);
    expect(heard).toHaveLength(1);
  });
});

describe('the guards of several processes', () => {
  /** Each tells the others at once what they would hear within a second. */
  function several(count: number, settings: Partial<GuardConfig> = {}) {
    const clock = new ManualClock();
    const heard: (readonly [number, ShareSuspicion | undefined])[] = [];
    const guards: Guard[] = Array.from(
      { length: count },
      (_, at) =>
        new Guard({
          backend: 'portal',
          config: { ...SETTINGS, ...settings },
          clock,
          onSuspicious: (suspicion) => heard.push([at, suspicion]),
          elsewhere: () => told.get(at),
        }),
    );
    const told = new Map<number, GuardReport | undefined>();
    const beat = (): void => {
      const reports = guards.map((guard) => guard.report());
      for (const at of guards.keys()) {
        told.set(at, reportOfAll(reports.flatMap((report, from) => (from === at ? [] : (report ?? [])))));
      }
    };
    /** Known viewers: so many answers to each of these a second, of which so many of each hundred are denials. */
    const answers = (those: readonly number[], seconds: number, percentDenied: number, each = 1): void => {
      for (let second = 0; second < seconds; second += 1) {
        clock.advance(1_000);
        beat();
        for (const at of those) {
          for (let n = 0; n < each; n += 1) {
            const denied = ((second * each + n) * 37) % 100 < percentDenied;
            guards[at]!.pass(denied ? DENY : ALLOW, true);
          }
        }
      }
      beat();
    };
    const suspecting = (): boolean[] => guards.map((guard) => guard.suspicion !== undefined);
    return { clock, guards, heard, beat, answers, suspecting };
  }

  it('judge what all were answered together, where each sees too few, and one that asks nothing knows', () => {
    const { heard, answers, suspecting } = several(3);
    answers([0, 1], 600, 1);
    answers([0, 1], 20, 100);
    expect(suspecting()).toEqual([true, true, true]);
    expect(heard[0]![1]).toMatchObject({ kind: 'known-denied', usualPercent: expect.closeTo(1, 0) });
    expect(heard[0]![1]!.answers).toBeGreaterThanOrEqual(50);
    answers([0, 1], 70, 1);
    expect(suspecting()).toEqual([false, false, false]);
    expect(heard.filter(([, suspicion]) => suspicion === undefined)).toHaveLength(2);
  });

  it('are quiet together about a backend that goes on as usual, and about few answers', () => {
    const { heard, answers } = several(5);
    answers([0, 1, 2, 3, 4], 600, 10);
    answers([0, 1, 2, 3, 4], 600, 15);
    expect(heard).toEqual([]);
    const few = several(3);
    few.answers([0, 1], 20, 100);
    expect(few.heard).toEqual([]);
  });

  it('know of one that suspects by its own answers alone, and believe what they are answered', () => {
    const { guards, answers, suspecting } = several(2, { policy: 'treat-as-failed' });
    answers([1], 60, 0, 20);
    answers([0], 10, 100, 6);
    expect(suspecting()).toEqual([true, true]);
    expect(guards[0]!.pass(DENY, true).kind).toBe('unavailable');
    expect(guards[1]!.pass(DENY, true)).toBe(DENY);
    expect(guards[1]!.report()!.suspicion).toBeUndefined();
  });

  it('take nothing for usual that was answered a minute before another one suspects it', () => {
    const { clock, guards, answers, beat } = several(2);
    answers([1], 30, 100);
    answers([0], 10, 100, 6);
    for (let n = 0; n < 30; n += 1) {
      clock.advance(5_000);
      beat();
    }
    expect(guards[1]!.report()).toBeUndefined();
    guards[1]!.pass(DENY, true);
    expect(guards[1]!.report()!.known).toMatchObject({ answers: 1, usualAnswers: 0 });
  });

  it('end what nothing more is heard of, though the one that suspects is asked nothing', () => {
    const { clock, beat, answers, suspecting } = several(2);
    answers([0], 10, 100, 6);
    expect(suspecting()).toEqual([true, true]);
    clock.advance(599_000);
    beat();
    expect(suspecting()).toEqual([true, true]);
    clock.advance(2_000);
    beat();
    expect(suspecting()).toEqual([false, false]);
  });

  it('go on suspecting where only others are answered, as long as they are answered so', () => {
    const { answers, suspecting, heard } = several(3);
    answers([0, 1], 40, 100);
    answers([1], 1_300, 100);
    expect(suspecting()).toEqual([true, true, true]);
    expect(heard.filter(([, suspicion]) => suspicion === undefined)).toEqual([]);
  });
});
