import { z } from 'zod';
import type { EventType } from '#usher/sessions';

/** What stands in each event, for who receives them: docs/events/ is made of it. Further facts may come with a newer version. */
const text = z.string();
const instant = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/)
  .meta({ format: 'date-time', description: 'ISO 8601, UTC.' });
const id = z
  .string()
  .regex(/^\d{13}-\d{6}-\d{2}$/)
  .describe('<ms>-<sequence>-<shard>. Of two events of one shard the later one has the greater text.');

const user = {
  user: text.optional().describe('Whom the backend named. Missing: nobody is named.'),
  namespace: text
    .optional()
    .describe('Users are the same people within it: the backend’s, unless it is configured.'),
};
const by = {
  by: text.optional().describe('Who did it.'),
  reason: text.optional().describe('Why, for people.'),
};

/** An event's type, sentence and facts. */
interface Description {
  readonly about: string;
  readonly facts: z.ZodRawShape;
  /** It is about a session. */
  readonly session?: boolean;
}

const sessionFacts = {
  ...user,
  channel: text.optional(),
  ip: text.optional().describe('The viewer’s address, as the edge says.'),
  backend: text.optional().describe('Who answered.'),
  source: text
    .optional()
    .describe('The rung of the ladder that let it in: backend, direct, known, fail-open …'),
  state: text.optional().describe('active, on-trust (let in without a decision), unconfirmed or revoked.'),
  presence: text.optional().describe('seen (it asks), listed (its edge lists it) or assumed.'),
  openedAt: instant.optional(),
};

const endedFacts = {
  reason: text.describe('Why, in a word.'),
  ...sessionFacts,
  lasted: text.optional().describe('How long, ms.'),
  checks: text
    .optional()
    .describe('How often its edge asked about it, about: signs of life are flushed each 10 s.'),
};

const checkFacts = {
  id: text.describe('Of the answer: X-Usher-Id.'),
  channel: text.optional(),
  ip: text.optional(),
  user: user.user,
  backend: text.optional(),
  source: text.describe('The rung of the ladder that answered.'),
  reason: text.describe('docs/reasons.md.'),
  status: text.optional().describe('The backend’s.'),
  because: text.optional().describe('backend or us: whose fault it is that nobody could be asked.'),
  cause: text.optional().describe('Why nobody could be asked.'),
  hold: text.optional().describe('The hold that refused, as <kind>:<subject>.'),
  suppressed: text
    .optional()
    .describe('So many events like this one, of this address, were left out before it.'),
};

const breakerFacts = {
  backend: text,
  since: instant.optional().describe('In this state since.'),
  downSince: instant.optional().describe('Not answering since.'),
  by: text.optional().describe('The process that said so.'),
};

/** A backend may be suspicious to both, or to one. */
const seenBy = z.enum(['guard', 'canaries']);

const asked = {
  asked: text.optional().describe('So many were asked about.'),
  refused: text.optional().describe('So many of them were refused.'),
};

const outageFacts = {
  outage: text.optional().describe('Names the outage.'),
  backend: text.optional(),
  fault: text.optional().describe('backend or us: whose fault it is.'),
  suspended: text.optional().describe('yes or no: whether the backend’s breaker was.'),
  since: instant.optional(),
  until: instant.optional(),
};

const holdFacts = {
  kind: text.describe('credential, viewer, address, network, agent, channel, user or user-viewer.'),
  subject: text.describe('Who is held; *** where that would be a secret.'),
};

const switchFacts = { kind: text.describe('backend or route.'), name: text };

const DESCRIPTIONS: Readonly<Record<EventType, Description>> = {
  'session.opened': {
    about: 'A viewer was let in: a session began. Its `opening` is its own id.',
    session: true,
    facts: {
      ...sessionFacts,
      name: text.optional().describe('What is shown for the user, where it is not the user.'),
      ua: text.optional().describe('User agent.'),
      host: text.optional(),
      path: text.optional().describe('Without the query.'),
      dialect: text.optional(),
    },
  },
  'session.updated': {
    about:
      'A session goes on otherwise than before: another state, source, presence or user (`changed` says which). Not told at signs of life.',
    session: true,
    facts: {
      changed: text.describe('state, source, user, presence: those that changed, with commas between.'),
      stateBefore: text.optional().describe('Where it changed; likewise below.'),
      sourceBefore: text.optional(),
      presenceBefore: text.optional(),
      ...sessionFacts,
      name: text.optional().describe('What is shown for the user, where it is not the user.'),
    },
  },
  'session.closed': {
    about:
      'A session ended: `idle`, `expired`, `replaced` (its id came back with another viewer or channel), `evicted`, `kicked`, `closed-by-edge`, `edge-restarted`, `denied-on-recheck`, `recycled`.',
    session: true,
    facts: endedFacts,
  },
  'session.moved': {
    about:
      'A session’s user became known: it goes on, under the same name, in another shard, whose `session.opened` tells of it. Not an end.',
    session: true,
    facts: endedFacts,
  },
  'session.revoked': {
    about: 'A session may not go on, and its edge is told to cut it; `session.closed` follows.',
    session: true,
    facts: { ...endedFacts, reason: text.optional(), by: by.by },
  },
  'session.not-cut': {
    about:
      'A revoked session was not cut, so that what plays may play on; it stays listed as revoked until its edge, its time or its edge’s list ends it.',
    session: true,
    facts: {
      reason: text.describe('Why it was to be cut.'),
      outcome: text.describe(
        'given-up: its edge was told in vain, or too many were to be cut. cannot: it cannot be told.',
      ),
      detail: text.describe('Why it was not cut, for people.'),
    },
  },
  'limit.reached': {
    about: 'A user is at the cap of devices.',
    session: true,
    facts: {
      ...user,
      outcome: text.optional().describe('What came of it.'),
      mode: text.optional().describe('observe: nobody was refused or cut.'),
      policy: text.optional(),
      cap: text.optional(),
      devices: text.optional().describe('That are watching.'),
      victims: text.optional().describe('Sessions that were put out, <edge>:<id>, ten at most.'),
    },
  },
  'protection.tripped': {
    about: 'An address, a credential or a user passed a limit of the protection.',
    facts: {
      measure: text.describe('Which limit: deniedTokens, networksPerUser …'),
      kind: text.describe('address, credential or user.'),
      subject: text.describe('An address (of IPv6 its /64), the digest of a credential, or namespace/user.'),
      count: text,
      limit: text,
      result: text.describe('held; observed (would have been); spared (who stands for many users); failed.'),
      edge: text.optional(),
      channel: text.optional(),
      ip: text.optional(),
    },
  },
  'check.denied': {
    about: 'A viewer was refused; one event for each address and reason in 10 s.',
    session: true,
    facts: checkFacts,
  },
  'check.trusted': {
    about:
      'A viewer was let in without a decision, because nobody could be asked; one event for each address and reason in 10 s.',
    session: true,
    facts: checkFacts,
  },
  'breaker.suspended': { about: 'A backend is taken for gone: it is probed only.', facts: breakerFacts },
  'breaker.half-open': { about: 'A suspended backend is being probed.', facts: breakerFacts },
  'breaker.ramping': { about: 'A backend answers again, and is asked more and more.', facts: breakerFacts },
  'breaker.closed': { about: 'A backend is asked as ever.', facts: breakerFacts },
  'backend.suspicious': {
    about:
      'A backend’s answers are clean, and unlike it: one process’s guard says so (at most once a minute), or its canaries do, in the whole cluster.',
    facts: {
      backend: text,
      seenBy: seenBy.describe('By what it is seen.'),
      kind: text.describe(
        'known-denied: it refuses those whom it knew. all-allowed: it refuses almost nobody any longer. canary: it answers canaries wrongly.',
      ),
      percent: text.optional().describe('Guard: of the last minute’s answers so many percent are denials.'),
      usual: text.optional().describe('Guard: … and usually.'),
      answers: text.optional().describe('Guard: in the last minute.'),
      wrong: text
        .optional()
        .describe('Canaries: allow (the must-allow is denied), deny (the must-deny is allowed), or both.'),
      proven: text
        .optional()
        .describe(
          'Canaries: those of them that were answered rightly once; the others may be wrong themselves.',
        ),
      since: instant.optional(),
      by: text.optional().describe('The process that says so.'),
    },
  },
  'backend.trusted-again': {
    about:
      'What made a backend suspicious is over: for the guard of the process that said so, or for its canaries.',
    facts: {
      backend: text,
      seenBy: seenBy.describe('By what it was seen.'),
      lapsed: text
        .optional()
        .describe('yes: nobody sends its canaries any more; what they showed counts no longer.'),
      by: text.optional().describe('The process that says so; missing where it lapsed.'),
    },
  },
  'outage.started': { about: 'Viewers are let in without a decision from now on.', facts: outageFacts },
  'outage.expiring': {
    about: 'A limit of letting in on trust is near.',
    facts: { ...outageFacts, limit: text.optional() },
  },
  'outage.expired': {
    about: 'A limit of letting in on trust is reached.',
    facts: { ...outageFacts, limit: text.optional() },
  },
  'outage.ended': {
    about: 'The backend can be asked again.',
    facts: {
      ...outageFacts,
      carried: text.optional().describe('Sessions that were known good; not free.'),
      known: text.optional().describe('Sessions of known viewers.'),
      onTrust: text.optional().describe('Sessions of strangers: free.'),
    },
  },
  'outage.settled': {
    about:
      'It was found out what became of those who were let in; they have been asked about, or recycled, where it is so configured.',
    facts: {
      ...outageFacts,
      ...asked,
      recycled: text.optional().describe('So many were cut so that they come back.'),
      lost: text.optional().describe('So many of them did not play again.'),
    },
  },
  'outage.cut-stopped': {
    about:
      'Cutting, or recycling, after an outage stopped itself: too many would have been cut, or did not play again, or the backend is not to be trusted.',
    facts: {
      ...outageFacts,
      ...asked,
      recycled: text.optional().describe('So many were cut so that they come back.'),
      lost: text.optional().describe('So many of them did not play again.'),
      why: text.optional().describe('Why recycling stopped.'),
    },
  },
  'hold.set': {
    about: 'Somebody is refused, or let in unasked, until a time.',
    facts: {
      ...holdFacts,
      effect: text.describe('refuse or pass.'),
      until: instant,
      origin: text.optional(),
      ...by,
    },
  },
  'hold.lifted': { about: 'A hold was taken back.', facts: { ...holdFacts, ...by } },
  'switch.set': {
    about: 'An operator keeps a backend or route from being asked, until a time.',
    facts: {
      ...switchFacts,
      mode: text.describe('maintenance, open, stale or closed.'),
      until: instant,
      ...by,
    },
  },
  'switch.lifted': { about: 'A switch was taken back.', facts: { ...switchFacts, ...by } },
};

/** By type; another version may have further ones. */
export const EVENTS: Readonly<Record<string, Description>> = DESCRIPTIONS;

/** An event of this type; undefined: a type that another version has. */
export function schemaOf(type: string): z.ZodObject | undefined {
  const description = EVENTS[type];
  if (description === undefined) return undefined;
  const session = {
    edge: text.describe('The edge’s name.'),
    session: text.describe('The session’s id at its edge, or derived.'),
  };
  const opening = id
    .optional()
    .describe('The id of the event that opened this session; another session of that name has another.');
  return z.looseObject({
    id,
    type: z.literal(type),
    time: instant,
    ...(isAboutSession(type) ? session : {}),
    ...(opensKnown(type) ? { opening } : {}),
    facts: z.looseObject(description.facts),
  });
}

export function isAboutSession(type: string): boolean {
  return EVENTS[type]?.session === true;
}

/** It tells which event opened its session: a check that was refused has none. */
export function opensKnown(type: string): boolean {
  return isAboutSession(type) && !type.startsWith('check.');
}

/** JSON Schema (draft 2020-12) of a type of event. */
export function jsonSchemaOf(type: string): object {
  const { $schema, ...schema } = z.toJSONSchema(schemaOf(type)!, { io: 'input' });
  return { $schema, title: type, description: EVENTS[type]!.about, ...schema };
}

/** JSON Schema of a delivery's body. */
export function deliverySchema(): object {
  const event = { description: 'By its type: <type>.schema.json beside this file.', type: 'object' };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'delivery',
    description: 'The body of one delivery: events in their order.',
    type: 'object',
    properties: { events: { type: 'array', minItems: 1, items: event } },
    required: ['events'],
  };
}
