import { z } from 'zod';
import { configSchema, type Config } from '#usher/config';
import { BadRequest, DIALECTS, type Dialect, type DialectType, type EdgeFacts } from '#usher/dialects';
import { DIALECT_NAMES } from '#usher/domain';
import { wireString } from '../endpoint/fields.js';
import { Problem, type Flaw } from '../problems/problem.js';

const text = (most: number) => z.string().max(most, `at most ${most} characters`);

/** A check as a person gives it: its parts, or an address with the rest. What is given as a part wins. */
export const askedCheck = z
  .strictObject({
    url: text(8_192)
      .optional()
      .describe(
        'What the viewer plays (http://live.example.com/play/a001/index.m3u8?token=…), or what the edge asks (http://usher:1064/e/astra-1/check?token=…).',
      ),
    edge: text(64).optional().describe('Needed where several are configured.'),
    dialect: z.enum(DIALECT_NAMES).optional().describe('Default: the edge’s.'),
    session: text(256).optional().describe('The edge’s session id.'),
    channel: text(256).optional(),
    address: text(64).optional().describe('The viewer’s.'),
    path: text(2_048).optional().describe('The viewer’s.'),
    userAgent: text(1_024).optional(),
    host: text(256).optional(),
    origin: text(256).optional(),
    query: text(8_192).optional().describe('The viewer’s, without ?. A secret: it is not said back.'),
    ask: z
      .boolean()
      .default(false)
      .describe('Ask the backend too, where its credential is reusable. For operators only.'),
  })
  .refine(({ url, query, channel, path }) => [url, query, channel, path].some((part) => part !== undefined), {
    message: 'a check needs url, query, channel or path',
  });
export type AskedCheck = z.output<typeof askedCheck>;

/** A check that was asked about, in its edge's language. */
export interface ReadCheck {
  readonly edge: string;
  readonly dialect: DialectType;
  /** Where it asks again about its sessions: within so long, ms. */
  readonly asksAgainWithin: number | undefined;
  readonly facts: EdgeFacts;
  /** What was taken for granted. */
  readonly notes: readonly string[];
}

/** An edge of which nothing is configured. */
const UNCONFIGURED = configSchema.parse({ edges: { any: {} } }).edges['any']!;

/** The facts that its edge would send. Throws Problem. */
export function readCheck(asked: AskedCheck, config: Config): ReadCheck {
  const notes: string[] = [];
  const fromUrl = asked.url === undefined ? {} : partsOf(asked.url, notes);
  const parts = { ...fromUrl, ...defined(asked) };
  const edge = edgeOf(parts.edge, config);
  const configured = Object.hasOwn(config.edges, edge) ? config.edges[edge] : undefined;
  const dialect = DIALECTS[asked.dialect ?? configured?.dialect ?? 'astra'];
  const known = configured ?? UNCONFIGURED;
  const { complete } = dialect.speak(known);
  if (parts.address === undefined) notes.push('No address was given: what goes by it cannot be seen.');
  const wire = (text = ''): string => wireString(text);
  const facts: EdgeFacts = {
    givenSessionId: wire(parts.session),
    channel: wire(parts.channel),
    ip: wire(parts.address),
    path: wire(parts.path),
    userAgent: wire(parts.userAgent),
    host: wire(parts.host),
    origin: wire(parts.origin),
    query: wire((parts.query ?? '').replace(/^\?/, '')),
  };
  const asksAgainWithin = dialect.habit === 'again' ? known.ttl : undefined;
  return { edge, dialect, asksAgainWithin, facts: completed(facts, complete), notes };
}

/** Throws Problem where the edge would be told that nobody understands it. */
function completed(facts: EdgeFacts, complete: Dialect['complete']): EdgeFacts {
  try {
    return complete === undefined ? facts : complete(facts);
  } catch (error) {
    if (!(error instanceof BadRequest)) throw error;
    throw flawed({ parameter: 'path', says: error.message });
  }
}

type Parts = Partial<Omit<AskedCheck, 'url' | 'ask' | 'dialect'>>;

/** The edge's question, or the viewer's address. */
function partsOf(address: string, notes: string[]): Parts {
  if (!URL.canParse(address))
    throw flawed({ parameter: 'url', says: 'no address such as http://host/path?query' });
  const url = new URL(address);
  const query = url.search.slice(1);
  // The edge's secret may stand between: it is no part of the check.
  const edge = /^\/e\/([^/]+)\/(?:[^/]+\/)?check$/.exec(url.pathname)?.[1];
  if (edge !== undefined) return { edge, query };
  const channel = /^\/play\/([^/]+)/.exec(url.pathname)?.[1];
  if (channel !== undefined) notes.push(`The channel is guessed from the path: ${channel}.`);
  return { host: url.hostname, origin: url.origin, path: url.pathname, query, channel };
}

function edgeOf(said: string | undefined, { edges }: Config): string {
  const names = Object.keys(edges);
  if (said !== undefined && said !== '') return said;
  if (names.length === 1) return names[0]!;
  const says = names.length === 0 ? 'none is configured: give any name' : `one of ${names.join(', ')}`;
  throw flawed({ parameter: 'edge', says });
}

function flawed(flaw: Flaw): Problem {
  return new Problem('bad-body', `${flaw.parameter}: ${flaw.says}.`, { errors: [flaw] });
}

function defined(parts: AskedCheck): Parts {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)) as Parts;
}
