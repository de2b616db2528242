import type { BackendAnswer } from './answer.js';
import type { Check, Identity } from './check.js';
import type { Session, SessionName } from './session.js';

/** One question on its way to a backend or group. */
export interface Question {
  readonly check: Check;
  readonly identity: Identity;
  /** The backend or group that the route names. */
  readonly target: string;
  /** Was allowed by this backend lately: such viewers go first while a breaker ramps up. */
  readonly known: boolean;
  /** Without an answer, because of us, he is let in on what is known: he waits in no line for long. */
  readonly playsAnyway?: boolean;
  /** Cluster time, ms: after it nobody waits for the answer. */
  readonly deadline: number;
  /** Cluster time, ms: when it set out. What it spends on its way to a backend's gate is our time, not the backend's. */
  readonly askedAt?: number;
  /** The half-open lease (see BreakerGate), where this question is the cluster's one probe, by backend. */
  readonly probes?: Readonly<Record<string, string>>;
  /** Members of a group that the breaker keeps back this time (see Admission): taken for suspended. */
  readonly skip?: readonly string[];
  /** Mode observe: asked even where the breaker is suspended. */
  readonly unguarded?: boolean;
  /** Nobody's: an operator's own request, to see how the backend answers. Nothing is remembered of it. */
  readonly canary?: boolean;
  /** Nobody waits for it at a player: viewers take from the backend's pace first. */
  readonly last?: boolean;
  /** Whoever asks opens the session himself, where a cap on devices lets him. */
  readonly unopened?: boolean;
  /**
   * Asked in the background about a session that was opened then, and is taken for alive until then (cluster time, ms): it
   * shows no life of the session, and raises none that was ended meanwhile.
   */
  readonly renews?: { readonly openedAt: number; readonly aliveUntil: number };
}

/** Asks a backend or group, through bulkhead, pacer and breaker. Never throws for a viewer's or backend's doing. */
export interface BackendPort {
  ask(question: Question): Promise<BackendAnswer>;
}

/** What the cluster's breaker says about asking now. */
export type Admission =
  /**
   * Ask. `probes`: half-open, and this process holds the lease: this question is the cluster's one probe of that backend.
   * `skip`: members of a group that are not to be asked, because some other member can be. Both go into the Question.
   */
  | {
      readonly kind: 'ask';
      readonly probes?: Readonly<Record<string, string>>;
      readonly skip?: readonly string[];
    }
  /** Suspended, or not let through by the ramp: straight to stale, known and the fail mode. */
  | { readonly kind: 'outage'; readonly since: number };

/** The cluster's breakers as this process sees them. The first method answers from memory. */
export interface BreakerGate {
  /** Every member of the target is closed: no need to ask further. Allocates nothing. */
  isClosed(target: string): boolean;
  /**
   * Ask, or outage. Only the half-open state costs a Redis round trip (the lease).
   * @param without members of a group that are not to be asked, whatever their breakers say
   */
  admit(target: string, known: boolean, without?: readonly string[]): Promise<Admission>;
}

/** A session that another gateway's question opened. */
export type FoundSession =
  | { readonly kind: 'same'; readonly session: Session }
  /** The id is there with another fingerprint: another viewer, or an edge that counts its ids anew. */
  | { readonly kind: 'other'; readonly session: Session }
  /** This very session, which may not go on: it was kicked or evicted, and is there until it is closed. */
  | { readonly kind: 'revoked'; readonly session: Session; readonly revokedAt?: number | undefined }
  /** `revokedAt` (cluster time, ms): a session with this fingerprint was revoked then, and is closed by now. */
  | { readonly kind: 'none'; readonly revokedAt?: number };

/** The registry as the ladder needs it. Every method rejects when Redis is away or late: the ladder goes on. */
export interface SessionRegistry {
  find(name: SessionName, fingerprint: string): Promise<FoundSession>;
  /** Opens or updates; closes another fingerprint under that id as `replaced`. Idempotent. */
  open(session: Session): Promise<void>;
}

/** What is remembered of a viewer at one backend. */
export interface KnownViewer {
  readonly user: string;
  readonly sessionName: string;
  /** Cluster time of the last allow, ms. */
  readonly allowedAt: number;
  /**
   * Fingerprints allowed lately, by their first 16 characters, each with its authorized-until (cluster time, ms; 0 = as
   * long as the session lives).
   */
  readonly grants: ReadonlyMap<string, number>;
  /** Cluster time, ms, at which it last showed another user than before: more than one person is behind it. */
  readonly mixedAt?: number;
}

/** Known viewers across the cluster; bounded and expiring. */
export interface KnownViewers {
  find(backend: string, viewerKey: string): Promise<KnownViewer | undefined>;
  remember(backend: string, viewerKey: string, fingerprint: string, grant: KnownGrant): Promise<void>;
}

export interface KnownGrant {
  readonly user: string;
  readonly sessionName: string;
  readonly authorizedUntil: number;
}

/** How a question over the bus ended. */
export type Asked =
  | { readonly kind: 'answered'; readonly answer: BackendAnswer }
  /** Not taken in time, the bus or Redis is away, or taken and silent: the caller may ask directly. */
  | { readonly kind: 'not-taken' | 'silent' | 'bus-away' }
  /** Workers live and are full: wait no longer than the deadline; it ended, because us. */
  | { readonly kind: 'full' };

/** Publishes the question to the workers. */
export interface QuestionBus {
  ask(question: Question): Promise<Asked>;
}
