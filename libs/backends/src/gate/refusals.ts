import type { Because, ReasonCode, UnavailableAnswer } from '#usher/domain';

/** Why a gate did not ask, or has no answer to give. */
export type Refusal =
  'suspended' | 'switched' | 'isolated' | 'paced' | 'full' | 'deadline' | 'late' | 'cancelled' | 'broken';

const WORDS: Record<Refusal, readonly [Because, ReasonCode, string]> = {
  suspended: ['backend', 'backend-suspended', 'suspended after failures'],
  switched: ['backend', 'backend-switched', 'switched by hand until a time'],
  isolated: ['us', 'isolated', 'this process does not reach it, others do'],
  paced: ['us', 'paced', 'the pace is used up'],
  full: ['us', 'bulkhead-full', 'too many calls in flight'],
  deadline: ['us', 'deadline', 'the time was used up before the call'],
  late: ['backend', 'backend-timeout', 'no answer by the deadline of the check; the call goes on'],
  cancelled: ['us', 'deadline', 'nobody wants the answer any longer'],
  broken: ['us', 'internal', 'the adapter broke'],
};

export function refuse(backend: string, refusal: Refusal, tookMs: number): UnavailableAnswer {
  const [because, reason, detail] = WORDS[refusal];
  return { kind: 'unavailable', backend, because, reason, detail: `${backend}: ${detail}`, tookMs };
}
