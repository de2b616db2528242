import type { AskingHabit, BackendAnswer, Check, Decision, Identity, Session } from '#usher/domain';
import type { Kept } from './kept-decisions.js';
import type { Route } from './routes.js';

/** One check on its way down the ladder. */
export interface CheckContext {
  readonly check: Check;
  readonly identity: Identity;
  readonly route: Route;
  /** What the viewer shows as his right to watch: the whole query, or the parameter that a backend names. A secret. */
  readonly credential: string;
  readonly habit: AskingHabit;
  /** The edge lets viewers in when it cannot reach us: our overload does likewise unless configured. */
  readonly opensWhenAlone: boolean;
  /** Monotonic, ms: answered by then, whatever is broken. */
  readonly deadline: number;
  /** The viewer was not asked for his credentials yet: nobody is asked about him before he was. */
  readonly lacksCredentials?: boolean;
  /** Its edge was told to ask again about a session within that time, ms; undefined: it was told nothing. */
  readonly asksAgainWithin?: number;
  /** Has to be admitted under a cap on devices first: no worker opens the session. */
  unopened?: boolean;
  /** `KeptDecisions.version` when it was looked at; what is set or refreshed meanwhile makes it be looked at again. */
  version?: number;
  /** `KeptDecisions.generation` and `endings` when it was looked at: what is told meanwhile may be about this session. */
  generation?: number;
  endings?: number;
  /** This session was allowed earlier, though its time may be up: nobody cuts it by a clock. */
  previous?: Session;
  /** This session was let in on trust earlier: a budget that is spent keeps out newcomers only. */
  onTrust?: boolean;
  /** Its time was up, and what stood in for the answer let it in: it plays already. */
  plays?: boolean;
  /** It is asked about, and waits for less time than a backend of its route is given. */
  isHurried?: boolean;
  /** An operator lets everybody in: no limit of letting in on trust counts. */
  letIn?: boolean;
  /** A protection's hold does not count for whoever plays already, nor one on an address for a known viewer. */
  spared?: boolean;
  /** The rules of its route have said what they say; undefined: they were not asked yet. */
  isRuled?: boolean;
  /** The registry could not be asked whether another gateway allowed this session. */
  registryFailed?: boolean;
}

/** How a rung answered: what to say, and how long it may be said again without asking. */
export interface Verdict {
  readonly decision: Decision;
  /** What the backend said, where it was asked. */
  readonly answer?: BackendAnswer;
  /** Monotonic, ms; 0 = not kept. */
  readonly until: number;
  /** Stands in for a decision while the backend cannot be asked. */
  readonly standIn: boolean;
  readonly session?: Session;
}

/** What the ladder hands to the door. */
export interface Settled {
  readonly decision: Decision;
  readonly answer?: BackendAnswer;
  /** Kept here: the next identical request may be answered from it. */
  readonly kept?: Kept;
}
