import type { CanariesConfig } from '#usher/config';
import type { BackendAnswer } from '#usher/domain';
import { canaryRequest, type CanaryName } from './canary-check.js';
import type { CanarySuspicion } from './suspicion.js';

export const CANARIES: readonly CanaryName[] = ['allow', 'deny'];

/** So many answers in a row turn a canary, either way. */
const IN_A_ROW = 2;
/** A suspicion that nobody renews outlasts so many rounds, … */
const ROUNDS = 3;
/** … and so long besides, ms: a control that is restarted is no reason to end it. */
const MARGIN = 60_000;

/** What one canary has shown. */
export interface CanaryShown {
  /** Of what was asked (`canaryRequest`): another request begins anew. */
  readonly request: string;
  /** The last answer was the right one. */
  readonly right: boolean;
  /** So many answers in a row were like the last one, as far as it matters. */
  readonly inARow: number;
  /** The backend answers it wrongly: twice in a row, and not yet rightly twice. */
  readonly wrong: boolean;
  /** It was answered rightly once: what is wrong now is the backend, and not the canary. */
  readonly proven: boolean;
}

/** What the canaries of one backend have shown, in the whole cluster. */
export interface CanaryRecord {
  /** Cluster time, ms: since when one of them is wrong; 0: none is. */
  readonly since: number;
  /** Cluster time, ms: if nobody sends canaries any more, what they showed counts until then. */
  readonly until: number;
  readonly allow?: CanaryShown;
  readonly deny?: CanaryShown;
}

export const NOTHING_SHOWN: CanaryRecord = { since: 0, until: 0 };

/** What a round has been answered; a canary that was not sent, or not answered, is left out. */
export type CanaryAnswers = Readonly<Partial<Record<CanaryName, BackendAnswer>>>;

/** The record after a round. No answer says nothing. Canaries that are configured no longer are forgotten. */
export function afterRound(
  before: CanaryRecord,
  config: CanariesConfig,
  answers: CanaryAnswers,
  now: number,
): CanaryRecord {
  const allow = shownAfter('allow', before, config, answers);
  const deny = shownAfter('deny', before, config, answers);
  const isWrong = allow?.wrong === true || deny?.wrong === true;
  return {
    since: isWrong ? before.since || now : 0,
    until: now + ROUNDS * config.every + MARGIN,
    ...(allow && { allow }),
    ...(deny && { deny }),
  };
}

function shownAfter(
  name: CanaryName,
  record: CanaryRecord,
  config: CanariesConfig,
  answers: CanaryAnswers,
): CanaryShown | undefined {
  const canary = config[name];
  if (canary === undefined) return undefined;
  const request = canaryRequest(canary);
  const before = record[name]?.request === request ? record[name] : undefined;
  const answer = answers[name];
  if (answer === undefined || answer.kind === 'unavailable') return before;
  const right = answer.kind === name;
  const inARow = before?.right === right ? Math.min(IN_A_ROW, before.inARow + 1) : 1;
  return {
    request,
    right,
    inARow,
    wrong: inARow >= IN_A_ROW ? !right : (before?.wrong ?? false),
    proven: right || (before?.proven ?? false),
  };
}

/** What follows from the record; undefined: the canaries are right. */
export function suspicionOf(record: CanaryRecord): CanarySuspicion | undefined {
  const wrong = CANARIES.filter((name) => record[name]?.wrong === true);
  if (wrong.length === 0) return undefined;
  const proven = wrong.filter((name) => record[name]!.proven);
  return { kind: 'canary', wrong, proven, since: record.since, until: record.until };
}

/** They say the same; `until` is no news. */
export function isSameSuspicion(
  one: CanarySuspicion | undefined,
  other: CanarySuspicion | undefined,
): boolean {
  if (one === undefined || other === undefined) return one === other;
  const said = ({ since, wrong, proven }: CanarySuspicion): string => [since, ...wrong, '', ...proven].join();
  return said(one) === said(other);
}
