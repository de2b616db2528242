import type { Why, WhyAnswer } from '#usher/decisions';
import type { RedisSessionRegistry } from '#usher/sessions';
import { wireString } from '../endpoint/fields.js';

/** Which answers; all that is given must hold. Text as it is shown. */
export interface WhyQuestion {
  readonly user?: { readonly namespace: string; readonly user: string };
  readonly address?: string;
  readonly session?: string;
  readonly edge?: string;
  readonly channel?: string;
  readonly backend?: string;
  readonly source?: string;
  readonly reason?: string;
  readonly allow?: boolean;
  /** X-Usher-Id. */
  readonly id?: string;
  /** Cluster time, ms. */
  readonly since?: number;
  readonly until?: number;
}

export interface WhyLookedUp {
  /** The newest first. */
  readonly answers: readonly WhyAnswer[];
  /** False: Redis could not be asked. */
  readonly complete: boolean;
  /** Where was looked, in words: what is not there may be outside of it. */
  readonly lookedAt: string;
}

const OF_USER = 'the last 20 answers of this user';
const OF_ADDRESS = 'the last 20 answers to this address';
const NOTABLE = 'the answers of the last day that were not plain allows';

/** Looks where most is known of what is asked for: the user's answers, the address's, else all that were no plain allows. */
export async function lookUpWhy(
  why: Why,
  registry: Pick<RedisSessionRegistry, 'read'>,
  question: WhyQuestion,
): Promise<WhyLookedUp> {
  const { answers, complete, lookedAt } = await candidates(why, registry, question);
  return { answers: answers.filter((answer) => matches(answer, question)), complete, lookedAt };
}

async function candidates(
  why: Why,
  registry: Pick<RedisSessionRegistry, 'read'>,
  question: WhyQuestion,
): Promise<WhyLookedUp> {
  const { user, address, since } = question;
  if (user !== undefined) {
    return { ...(await why.byUser(user.namespace, wireString(user.user))), lookedAt: OF_USER };
  }
  if (address !== undefined) return { ...(await why.byAddress(wireString(address))), lookedAt: OF_ADDRESS };
  const recent = await why.recent({ since, limit: Infinity });
  const living = await livingSession(registry, question);
  if (living === undefined) return { ...recent, lookedAt: NOTABLE };
  const ofViewer = await why.byAddress(living.ip);
  const byId = new Map([...recent.answers, ...ofViewer.answers].map((answer) => [answer.id, answer]));
  const answers = [...byId.values()].sort((a, b) => b.lastAt - a.lastAt);
  return {
    answers,
    complete: recent.complete && ofViewer.complete,
    lookedAt: `${NOTABLE}, and the last 20 to the session’s address`,
  };
}

/** Of a session that lives the address is known, and by it its plain allows too. */
async function livingSession(
  registry: Pick<RedisSessionRegistry, 'read'>,
  { session, edge }: WhyQuestion,
): Promise<{ readonly ip: string } | undefined> {
  if (session === undefined || edge === undefined) return undefined;
  return registry.read({ edge: wireString(edge), sessionId: wireString(session) }).catch(() => undefined);
}

function matches(answer: WhyAnswer, question: WhyQuestion): boolean {
  const { address, since = 0, until = Infinity } = question;
  const same = (['session', 'edge', 'channel', 'backend', 'source', 'reason', 'allow', 'id'] as const).every(
    (field) => question[field] === undefined || question[field] === answer[field],
  );
  const isThere = address === undefined || answer.ip === address;
  return same && isThere && answer.lastAt >= since && answer.at <= until;
}
