import type { Why, WhyAnswer } from '#usher/decisions';
import { plainAddress, type RedisSessionRegistry } from '#usher/sessions';
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
  readonly limit: number;
  /** Of the page before. */
  readonly cursor?: string;
}

export interface WhyLookedUp {
  /** The newest first. */
  readonly answers: readonly WhyAnswer[];
  /** False: Redis could not be asked. */
  readonly complete: boolean;
  /** Where was looked, in words: what is not there may be outside of it. */
  readonly lookedAt: string;
  /** Of the next page, as long as there may be one. */
  readonly cursor?: string | undefined;
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
  const { user, address, limit } = question;
  const listed =
    user !== undefined
      ? { ...(await why.byUser(user.namespace, wireString(user.user))), lookedAt: OF_USER }
      : address !== undefined
        ? { ...(await why.byAddress(wireString(address))), lookedAt: OF_ADDRESS }
        : undefined;
  if (listed === undefined) return lookUpNotable(why, registry, question);
  const answers = listed.answers.filter((answer) => matches(answer, question));
  return { ...listed, answers: answers.slice(0, limit) };
}

async function lookUpNotable(
  why: Why,
  registry: Pick<RedisSessionRegistry, 'read'>,
  question: WhyQuestion,
): Promise<WhyLookedUp> {
  const { since, until, limit, cursor } = question;
  const wants = (answer: WhyAnswer): boolean => matches(answer, question);
  const page = await why.page({ wants, since, until, limit, cursor });
  const living = cursor === undefined ? await livingSession(registry, question) : undefined;
  if (living === undefined) return { ...page, lookedAt: NOTABLE };
  const ofViewer = await why.byAddress(living.ip);
  // What was no plain allow is on some page.
  const plain = ofViewer.answers.filter((one) => one.allow && one.because === undefined && wants(one));
  const byId = new Map([...plain, ...page.answers].map((answer) => [answer.id, answer]));
  return {
    answers: [...byId.values()].sort((a, b) => b.lastAt - a.lastAt),
    complete: page.complete && ofViewer.complete,
    lookedAt: `${NOTABLE}, and the last 20 to the session’s address`,
    cursor: page.cursor,
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
  const isThere = address === undefined || plainAddress(answer.ip) === plainAddress(address);
  return same && isThere && answer.lastAt >= since && answer.at <= until;
}
