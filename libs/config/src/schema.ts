import { isIP } from 'node:net';
import { DIALECT_NAMES, type FailMode } from '#usher/domain';
import { z } from 'zod';
import { forwardSchema } from './forward-schema.js';
import { rulesSchema } from './rules-schema.js';
import { protectionSchema } from './protection-schema.js';
import {
  address,
  callUrl,
  duration,
  durationOf,
  glob,
  headerLine,
  httpUrl,
  network,
  pattern,
  redisUrl,
  sizeOf,
  template,
} from './units.js';

/**
 * The one schema of file and environment. Every key has a unit, a default and a description: the documented example
 * and the table of settings are generated from it.
 */
const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/,
    'a name of 1 to 64 letters, digits or . _ @ -, a letter or digit first',
  );

/** More of one user are not counted. */
const maxDevices = z.int().min(1).max(250);

/** Where edges may ask from without being configured: loopback, private and link-local addresses. */
const PRIVATE = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '::1',
  'fc00::/7',
  'fe80::/10',
];

const tlsFields = {
  ca: z
    .string()
    .optional()
    .meta({
      description: 'File with the certificate authorities to trust, PEM.',
      examples: ['ca.pem'],
    }),
  insecure: z.boolean().default(false).describe('Accept any certificate. Only for tests.'),
};

/** Answers of one kind, kept for a day. */
const ofWhy = z.int().min(100).max(1_000_000).default(10_000);

export const redisSchema = z.strictObject({
  url: redisUrl.optional().meta({
    description:
      'redis://, rediss:// (TLS), several separated by commas for a Cluster. Without it Usher starts its own.',
    secret: 'address',
    examples: ['redis://127.0.0.1:6379'],
  }),
  sentinels: z
    .array(address)
    .default([])
    .describe(
      'host:port of Sentinels; `master` names what they watch. Of `url` then only user, password, database and TLS count.',
    ),
  master: z.string().default('usher').describe('The Sentinels’ name of the master.'),
  cluster: z.boolean().default(false).describe('The addresses are nodes of a Redis Cluster.'),
  timeout: durationOf(1).default(30).describe('For one command of the hot path; more for remote sites.'),
  shards: z
    .int()
    .min(1)
    .max(100)
    .default(16)
    .describe('Session shards; the same in all processes, never changed while sessions live.'),
  ...tlsFields,
});

export const whySchema = z.strictObject({
  denied: ofWhy.describe('Denials by backends: so many in each gateway, and in Redis.'),
  refused: ofWhy.describe(
    'Refusals by holds, rules and caps on devices: so many in each gateway, and in Redis.',
  ),
  unavailable: ofWhy.describe(
    'Answers where no decision could be had (stale, known, on trust, refused): so many in each gateway, and in Redis.',
  ),
  answers: z
    .int()
    .min(100)
    .max(1_000_000)
    .default(20_000)
    .describe(
      'The last answers of any kind by user and by address, each, in the memory of each gateway; about 1 KB an answer.',
    ),
  lists: z
    .int()
    .min(100)
    .max(1_000_000)
    .default(20_000)
    .describe('Users and addresses whose last 20 answers of any kind are in Redis; about 7 KB each.'),
});

export const gatewaySchema = z.strictObject({
  listen: address.default('0.0.0.0:1064').describe('Where edges ask.'),
  edgesFrom: z
    .array(network)
    .default(PRIVATE)
    .describe('With no `edges`: who may ask; each address is an edge of its own, of dialect astra.'),
  proxies: z
    .array(network)
    .default([])
    .describe('Addresses or networks of load balancers in front of the gateways.'),
  proxyProtocol: z
    .boolean()
    .default(false)
    .describe('The load balancers speak the PROXY protocol (v1 or v2).'),
  deadline: durationOf(50).default(2000).describe('Every check is answered within it, whatever is broken.'),
  maxRequestLine: sizeOf(256).default(8192).describe('A longer request line gets 414.'),
  maxHeaders: sizeOf(256).default(8192).describe('Larger headers get 431.'),
  answerHeaders: z.boolean().default(true).describe('Send X-Usher-Source and X-Usher-Id.'),
  cacheEntries: z.int().min(100).default(200_000).describe('Decisions kept in memory.'),
  answerTtl: z
    .strictObject({
      allow: duration
        .default(30_000)
        .describe('An allow without X-AuthDuration is shared between sessions so long.'),
      deny: duration.default(10_000).describe('A denial is shared so long.'),
    })
    .prefault({}),
  knownFor: duration.default(86_400_000).describe('A viewer allowed within this time is a known viewer.'),
  knownEntries: z.int().min(100).default(200_000).describe('Known viewers kept in memory.'),
  seenLife: durationOf(60_000)
    .default(240_000)
    .describe(
      'A session whose edge asks again is taken for alive so long after it was asked about; for an edge’s `ttl` and a minute if that is longer.',
    ),
  assumedLife: duration
    .default(14_400_000)
    .describe(
      'A session of an edge that asks once is taken for alive so long after it opened or was listed.',
    ),
  grace: duration
    .default(60_000)
    .describe(
      'An answer on trust is kept so long for its own question, or up to a tenth less, so that not all ask at once.',
    ),
});

export const edgeSchema = z.strictObject({
  dialect: z
    .enum(DIALECT_NAMES)
    .default('astra')
    .describe('The language of /e/<edge>/check, and of every path without /e/.'),
  ttl: durationOf(5_000)
    .default(180_000)
    .describe(
      'flussonic, forward: it relies on an answer for so long at most (3 min is the most), or up to a tenth less, so that not all ask at once, and asks again.',
    ),
  addresses: z
    .array(network)
    .default([])
    .describe('Source addresses or networks that name this edge without a URL prefix.'),
  secret: z
    .string()
    .regex(/^[A-Za-z0-9_-]{8,128}$/, '8 to 128 letters, digits, _ or -: it stands in an address')
    .optional()
    .meta({
      description: 'Then the address is /e/<edge>/<secret>/check.',
      secret: 'all',
      examples: ['choose-one-of-your-own'],
    }),
  forward: forwardSchema.prefault({}),
  control: z
    .strictObject({
      type: z
        .enum(['astra', 'mediamtx', 'http'])
        .optional()
        .meta({
          description:
            'What its API is: by default that of the dialect. http: a call that you describe below.',
          examples: ['http'],
        }),
      url: callUrl.meta({
        description:
          'The edge’s own API: Astra’s http://host:8000. For http the address to call; {session}, {channel}, {user}, {ip} are put in.',
        secret: 'address',
      }),
      user: z.string().default('').describe('Basic auth user.'),
      password: z.string().default('').meta({ description: 'Basic auth password.', secret: 'all' }),
      method: z
        .enum(['POST', 'DELETE', 'PUT', 'PATCH', 'GET'])
        .default('POST')
        .describe('http: how to call.'),
      headers: z.array(headerLine).default([]).meta({
        description: 'http: what else to send, such as "X-Api-Key: …"; {session} … are put in.',
        secret: 'all',
      }),
      body: template.optional().meta({
        description: 'http: JSON, or as the header content-type says; {session} … are put in.',
        secret: 'all',
        examples: ['{"session": "{session}"}'],
      }),
      success: z
        .array(z.int().min(200).max(499))
        .default([])
        .describe('http: statuses by which the session is cut; none: every 2xx. 404 and 410: it was gone.'),
    })
    .optional()
    .describe('Where to read the session list, and to cut sessions.'),
  listInterval: durationOf(1000).default(30_000).describe('How often its session list is read, with jitter.'),
  sessionTimeout: duration.default(60_000).describe('The edge’s own session timeout.'),
  deadline: durationOf(50)
    .optional()
    .meta({
      description:
        'Less than gateway.deadline where the edge gives up earlier. By default as its dialect knows: mediamtx 1s, ome 2.8s, forward with proxy: envoy 150ms.',
      examples: ['1500ms'],
    }),
  flussonic: z
    .strictObject({
      passLimits: z
        .boolean()
        .default(false)
        .describe('Send the backend’s X-Max-Sessions and X-Unique on: Flussonic enforces them by itself.'),
    })
    .prefault({})
    .describe('What only Flussonic has.'),
  mediamtx: z
    .strictObject({
      credentials: z
        .enum(['required', 'optional'])
        .default('required')
        .describe(
          'required: who shows none is asked for them, and no backend is. optional: backends may go by the address alone.',
        ),
    })
    .prefault({})
    .describe('What only MediaMTX has.'),
  ome: z
    .strictObject({
      secret: z
        .string()
        .min(1)
        .max(256)
        .optional()
        .meta({
          description:
            'The SecretKey of its AdmissionWebhooks. Dialect ome needs it: what is not signed is refused.',
          secret: 'all',
          examples: ['choose-one-of-your-own'],
        }),
      realIp: z
        .enum(['ignore', 'trusted'])
        .default('ignore')
        .describe(
          'trusted: the viewer is whom X-Real-IP or X-Forwarded-For name. Only where a proxy that sets them is the one way in.',
        ),
      lifetime: z
        .enum(['granted', 'unlimited'])
        .default('granted')
        .describe('granted: it ends a session when the time that the backend gave (X-AuthDuration) is over.'),
    })
    .prefault({})
    .describe('What only OvenMediaEngine has.'),
  nginxRtmp: z
    .strictObject({
      method: z
        .enum(['post', 'get'])
        .default('post')
        .describe('As its notify_method. With get players can forge questions: docs/dialects/nginx-rtmp.md.'),
    })
    .prefault({})
    .describe('What only nginx-rtmp has.'),
});

const failMode = z
  .union(
    [
      z.enum(['open', 'stale', 'closed']),
      z.strictObject({ stale: z.literal(true), then: z.enum(['open', 'closed']) }),
    ],
    'open, closed, stale, or {stale: true, then: open}',
  )
  .meta({ kind: 'fail mode' })
  .transform((mode): FailMode =>
    typeof mode === 'object'
      ? ({ kind: 'stale', then: mode.then } as const)
      : mode === 'stale'
        ? ({ kind: 'stale', then: 'closed' } as const)
        : ({ kind: mode } as const),
  );

export const breakerSchema = z.strictObject({
  failureRate: z
    .number()
    .gt(0)
    .max(100)
    .default(50)
    .describe('Percent failed of at least `minCalls` in `window`.'),
  minCalls: z.int().min(1).default(20).describe('Calls before the rate counts.'),
  window: durationOf(1000).default(10_000).describe('The time looked back on.'),
  consecutive: z.int().min(1).default(5).describe('So many failures in a row suspend it at once.'),
  openFor: durationOf(100).default(5_000).describe('Suspended so long before the first probe.'),
  probes: z.int().min(1).default(2).describe('So many good probes close it.'),
  rampStep: duration.default(5_000).describe('Each step of the ramp-up (10, 25, 50, 100 %) lasts so long.'),
});

export const guardSchema = z.strictObject({
  policy: z
    .enum(['announce', 'treat-as-failed'])
    .default('announce')
    .describe('What a suspicious backend leads to.'),
  knownDenied: z
    .number()
    .gt(0)
    .max(100)
    .default(20)
    .describe('Percent of known viewers denied that is suspicious …'),
  times: z.number().min(1).default(5).describe('… if it is also so many times the usual share …'),
  minimum: z
    .int()
    .min(1)
    .default(50)
    .describe('… of at least so many answers a minute, of this process or of all together.'),
});

/** The fields of a check that adapters send on; text is sent as its UTF-8 bytes. */
const canary = z.strictObject({
  query: z
    .string()
    .max(4096)
    .regex(/^(?!\?)[\x21-\x7e]*$/, 'what stands behind the ? of an address: visible ASCII, no white space')
    .default('')
    .meta({ description: 'What a viewer’s player asks with: token=…', secret: 'all' }),
  channel: z.string().max(256).default('').describe('X-Channel-ID.'),
  ip: z
    .string()
    .refine((value) => value === '' || isIP(value) !== 0, 'an IP address, such as 192.0.2.7')
    .default('')
    .describe('X-Real-IP.'),
  path: z.string().max(1024).default('').describe('X-Real-Path.'),
  host: z.string().max(256).default('').describe('X-Real-Host.'),
  userAgent: z.string().max(256).default('Usher').describe('X-Real-UA.'),
});

export const canariesSchema = z
  .strictObject({
    every: durationOf(1000).default(60_000).describe('Between two rounds, with jitter.'),
    allow: canary.optional().describe('A request that it must allow: an account of yours.'),
    deny: canary.optional().describe('A request that it must refuse: a token that nobody has.'),
  })
  .refine(({ allow, deny }) => allow !== undefined || deny !== undefined, 'allow, deny, or both');

export const backendSchema = z.strictObject({
  type: z
    .enum(['ministra', 'iptvportal', 'smarty', 'http', 'flussonic', 'xtream'])
    .describe('The middleware’s kind.'),
  url: httpUrl.meta({
    description:
      'Its address; for ministra, iptvportal, smarty and xtream the base address or the full script address.',
    secret: 'address',
  }),
  failMode: failMode
    .prefault('open')
    .describe('When it cannot be asked: open, closed, stale, or {stale: true, then: open}.'),
  overload: z
    .enum(['as-fail-mode', 'deny'])
    .optional()
    .meta({
      description:
        'When it is our fault. Default: as-fail-mode for astra and alta, and of a check with less time than the backend’s timeout.',
      examples: ['deny'],
    }),
  maxOutage: durationOf(1000)
    .optional()
    .meta({
      description:
        'Suspended for so long, it lets nobody in on trust any more; stale and known viewers play on. Default: no end.',
      examples: ['6h'],
    }),
  failOpenBudget: z
    .strictObject({
      viewers: z
        .int()
        .min(1)
        .optional()
        .meta({ description: 'Sessions on trust at once.', examples: [500] }),
      viewerMinutes: z
        .number()
        .gt(0)
        .optional()
        .meta({ description: 'Minutes on trust of all of them in one outage.', examples: [60_000] }),
      enforce: z
        .boolean()
        .default(false)
        .describe('Spent, nobody new is let in on trust. false: it is only announced.'),
    })
    .optional()
    .describe('How much may be let in on trust while it is suspended. Default: no end.'),
  afterOutage: z
    .enum(['report', 'cut', 'recycle'])
    .default('report')
    .describe(
      'report: what became of those let in. cut: they are asked about, and whom it refuses is cut; needs credential: reusable. recycle, for credential: once: who is on trust is cut at his edge, slowly, and asked about when his player comes back.',
    ),
  recyclePace: z
    .number()
    .gt(0)
    .max(100)
    .default(2)
    .describe('Sessions a second that are recycled; of a paced backend half of its pace at most.'),
  recheckPace: z
    .number()
    .gt(0)
    .max(10_000)
    .default(50)
    .describe(
      'Questions a second about those let in, with afterOutage: cut; of a paced backend half of its pace at most.',
    ),
  timeout: durationOf(10).default(1000).describe('For one call, connection included.'),
  credential: z
    .enum(['once', 'reusable'])
    .default('once')
    .describe('reusable: may be asked about again with the same token.'),
  credentialParameter: z
    .string()
    .optional()
    .meta({
      description:
        'The query parameter that is the credential; default the whole query. flussonic: it is sent as `token`; default token.',
      examples: ['token'],
    }),
  device: z
    .string()
    .optional()
    .meta({
      description: 'The query parameter that names the device (mac, device, uuid …).',
      examples: ['mac'],
    }),
  namespace: name.optional().meta({
    description: 'Users of backends with one namespace are the same people. Default: the backend’s name.',
    examples: ['subscribers'],
  }),
  irrelevant: z
    .array(z.enum(['query', 'ip', 'channel', 'path', 'host', 'userAgent']))
    .default([])
    .describe('Inputs that the answer does not depend on: more answers are shared.'),
  allowWhen: z
    .strictObject({
      header: z
        .string()
        .optional()
        .meta({ description: 'An allow needs this answer header.', examples: ['X-Session-Name'] }),
      body: z
        .string()
        .optional()
        .meta({ description: 'An allow needs this text in the body.', examples: ['"status":"ok"'] }),
    })
    .optional()
    .describe('http, iptvportal and flussonic: what besides 200 makes an allow.'),
  requireHeader: z
    .string()
    .default('X-UserId')
    .describe('ministra: a 200 without this header is a failed backend; empty: none.'),
  otherStatus: z
    .enum(['deny', 'failed'])
    .optional()
    .meta({
      description:
        '4xx other than 401, 403. Default: deny for http, flussonic and xtream, failed for the others.',
      examples: ['deny'],
    }),
  params: z
    .array(
      z
        .string()
        .max(1024)
        .regex(/^[A-Za-z0-9_.~-]+=/, 'name=value; a name is of letters, digits or _ . ~ -'),
    )
    .default([])
    .meta({
      description:
        'flussonic: what else to send, name=value, in the place of a field of that name. Usher encodes the value.',
      secret: 'all',
      examples: [['key=change me']],
    }),
  activeConnections: z
    .enum(['ignore', 'refuse'])
    .default('ignore')
    .describe(
      'xtream: refuse whom the panel counts as many connections of as he may have. The session that is asked about may be among them.',
    ),
  maxCalls: z.int().min(1).default(64).describe('Calls in flight, for the whole cluster.'),
  maxDevices: maxDevices.optional().meta({
    description: 'So many devices of one user may watch at once. Default: any number. See `limits`.',
    examples: [3],
  }),
  pace: z
    .number()
    .gt(0)
    .optional()
    .meta({ description: 'Calls a second, for the whole cluster. Default: not paced.', examples: [50] }),
  breaker: breakerSchema.prefault({}),
  guard: guardSchema.prefault({}),
  canaries: canariesSchema
    .optional()
    .describe('Requests of yours by which it is seen whether it still tells viewers apart. Default: none.'),
  ...tlsFields,
});

export const groupSchema = z.strictObject({
  policy: z
    .enum(['any', 'first'])
    .default('any')
    .describe('any: all at once, first allow wins. first: in order.'),
  backends: z.array(name).min(1).describe('Its members.'),
  partial: z
    .enum(['known', 'unavailable', 'deny'])
    .default('known')
    .describe(
      'any: some deny, others cannot be asked: known viewers of the silent ones play on, others get the denial.',
    ),
  onDeny: z.enum(['next', 'stop']).default('stop').describe('first: after a denial.'),
});

export const routeSchema = z.strictObject({
  name: name.optional().meta({
    description: 'By which operators may switch it; unique.',
    examples: ['sports'],
  }),
  match: z
    .strictObject({
      action: z
        .enum(['play', 'publish'])
        .optional()
        .meta({
          description:
            'publish: this route answers who may publish (ingest), and nobody who plays. Default: play.',
          examples: ['publish'],
        }),
      host: glob.optional().describe('The viewer’s host. Chooses a backend only.'),
      path: glob
        .optional()
        .describe('Prefix (/tv/) or glob (/tv/*/index.m3u8). A path that climbs (..) is never public.'),
      channel: glob.optional().describe('Channel id, or glob.'),
      edge: glob.optional().describe('The edge’s name, or glob.'),
      query: z
        .record(
          z.string(),
          z.union([z.boolean(), pattern], 'true, false, or a regular expression such as ^[0-9a-f]{32}$'),
        )
        .optional()
        .describe('Parameter: true (present), false, or a pattern. Chooses a backend only.'),
    })
    .prefault({})
    .describe('All must match; nothing: every check.'),
  backend: name.optional().describe('Ask this backend,'),
  group: name.optional().describe('or this group,'),
  access: z.literal('public').optional().describe('or nobody: everyone may play it.'),
  rules: rulesSchema
    .optional()
    .describe('What the gateway decides itself before that, or without anybody else (docs/rules.md).'),
  mode: z.enum(['enforce', 'observe']).optional().describe('Default: the mode for all.'),
  failMode: failMode.optional().describe('Default: the backend’s.'),
  overload: z.enum(['as-fail-mode', 'deny']).optional().describe('Default: the backend’s.'),
  maxDevices: maxDevices
    .optional()
    .meta({ description: 'Of one user at once. Default: the backend’s.', examples: [1] }),
});

/** As text, or as Standard Webhooks writes it: `whsec_` and base64. */
const webhookSecret = z
  .string()
  .min(16)
  .regex(/^(?!whsec_)|^whsec_[A-Za-z0-9+/]{22,}={0,2}$/, 'after whsec_ base64 of at least 16 bytes');

export const webhookSchema = z.strictObject({
  name: name.describe('Stands in the log, in metrics and with what could not be delivered; unique.'),
  url: httpUrl.meta({
    description: 'Where events are posted to. User and password in it are sent as basic auth.',
    secret: 'address',
  }),
  secret: z
    .union(
      [webhookSecret.transform((one) => [one]), z.array(webhookSecret).min(1).max(4)],
      'a secret of at least 16 characters (after whsec_ base64), or a list of such',
    )
    .meta({
      description: 'Signs deliveries (docs/events.md); whsec_… is base64. Of several each one signs.',
      secret: 'all',
    }),
  events: z
    .array(z.string().regex(/^(\*|[a-z][a-z.-]{0,62}\*?)$/, 'a type such as session.closed, session.*, or *'))
    .min(1)
    .default(['session.*'])
    .describe('Which events, by type: session.closed, session.*, or * for all.'),
  timeout: durationOf(100).default(10_000).describe('For one delivery, connection included.'),
  batch: z.int().min(1).max(1_000).default(100).describe('Events in one delivery, at most.'),
  concurrency: z
    .int()
    .min(1)
    .max(32)
    .default(4)
    .describe('Deliveries at once from each control process; events of one session never are.'),
  retryFor: durationOf(1_000)
    .default(86_400_000)
    .describe('What could not be delivered so long after it happened becomes a dead letter.'),
  backlog: z
    .int()
    .min(100)
    .default(100_000)
    .describe('Events that wait for it, at most; then the oldest are dropped. About 700 bytes each.'),
});

export const adminTokenSchema = z.strictObject({
  name: name.describe('Who it is: stands in the audit log.'),
  role: z
    .enum(['observer', 'operator'])
    .default('observer')
    .describe('observer: sees. operator: changes too.'),
  token: z
    .string()
    .regex(/^[A-Za-z0-9._~+/=-]{16,256}$/, '16 to 256 letters, digits, . _ ~ + / = -')
    .meta({ description: 'What it shows: Authorization: Bearer <token>.', secret: 'all' }),
});

export const limitsSchema = z.strictObject({
  mode: z
    .enum(['off', 'observe', 'enforce'])
    .default('observe')
    .describe('observe: nobody is refused or cut, and it is told who would have been.'),
  over: z
    .enum(['deny-new', 'evict'])
    .default('deny-new')
    .describe('At the cap: the newcomer is refused, or whoever showed no sign of life for the longest goes.'),
  zapGrace: durationOf(20_000)
    .default(30_000)
    .describe('A session that was probably left for another channel counts no more for so long.'),
  fromHeaders: z
    .boolean()
    .default(false)
    .describe('The cap may come from X-Max-Sessions (X-Unique: 1) of the answer; never from a ministra.'),
});

export const configSchema = z.strictObject({
  mode: z
    .enum(['enforce', 'observe'])
    .default('enforce')
    .describe('observe: the backend’s own answers pass unchanged, all is recorded.'),
  data: z
    .string()
    .default('./data')
    .describe('Folder for the embedded Redis, the secret and the admin token.'),
  secret: z
    .union(
      [
        z
          .string()
          .min(16)
          .transform((one) => [one]),
        z.array(z.string().min(16)).min(1),
      ],
      'a secret of at least 16 characters, or a list of such',
    )
    .optional()
    .meta({
      description:
        'Seals tokens that wait in Redis; the same for all processes; the first of several seals. Embedded: data/secret.',
      secret: 'all',
      examples: ['sixteen or more characters'],
    }),
  redis: redisSchema.prefault({}),
  gateway: gatewaySchema.prefault({}),
  limits: limitsSchema
    .prefault({})
    .describe('Devices of one user at once, over all edges; how many: `maxDevices` of backend or route.'),
  protection: protectionSchema
    .prefault({})
    .describe('Who shares, scans or guesses is held, before the backend is asked (docs/protection.md).'),
  why: whySchema
    .prefault({})
    .describe(
      'The record of answers for support: how many are kept, for a day at most; the same in all processes.',
    ),
  health: z
    .strictObject({
      gateway: address
        .default('0.0.0.0:9064')
        .describe('Health and metrics of a gateway, and of `start all`.'),
      worker: address.default('0.0.0.0:9065').describe('… of a worker.'),
      control: address.default('0.0.0.0:9066').describe('… of control.'),
    })
    .prefault({}),
  control: z
    .strictObject({
      listen: address.default('127.0.0.1:9067').describe('Where operators ask: the admin API.'),
      tlsInFront: z
        .boolean()
        .default(false)
        .describe(
          'A proxy with TLS, or a network that nobody else can read, is in front of it: no warning where it listens beyond this machine.',
        ),
      tokens: z
        .array(adminTokenSchema)
        .max(64)
        .default([])
        .meta({
          description:
            'Who may ask there, besides the holder of data/admin-token (operator): bearer tokens with a role.',
          examples: [[{ name: 'monitoring', role: 'observer', token: 'choose-one-of-your-own' }]],
        }),
      renewalsPerSecond: z
        .number()
        .gt(0)
        .default(50)
        .describe(
          'Questions a second, for the whole cluster, by which sessions of reusable credentials are asked about again before their time is up.',
        ),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
        .describe('The least that is written.'),
      format: z
        .enum(['auto', 'json', 'text'])
        .default('auto')
        .describe('auto: text on a terminal, else JSON.'),
    })
    .prefault({}),
  edges: z
    .record(name, edgeSchema)
    .default({})
    .meta({
      description: 'The streaming servers, by name. None: see gateway.edgesFrom.',
      examples: [
        { 'astra-1': { control: { url: 'http://10.0.0.11:8000', user: 'usher', password: 'change me' } } },
      ],
    }),
  backends: z
    .record(name, backendSchema)
    .default({})
    .meta({
      description: 'The middlewares, by name.',
      examples: [
        {
          portal: {
            type: 'ministra',
            url: 'http://portal.example.com/stalker_portal',
            canaries: { deny: { query: 'token=nobody-has-this-one' } },
          },
          billing: { type: 'http', url: 'https://auth.example.com/check', credential: 'reusable' },
        },
      ],
    }),
  groups: z
    .record(name, groupSchema)
    .default({})
    .meta({
      description: 'Several backends asked as one, by name.',
      examples: [{ both: { backends: ['portal', 'billing'] } }],
    }),
  routes: z
    .array(routeSchema)
    .default([])
    .meta({
      description: 'The first that matches names whom to ask. None: the only backend.',
      examples: [
        { match: { channel: 'promo-*' }, access: 'public' },
        { match: { edge: 'astra-1' }, backend: 'portal' },
        { group: 'both' },
      ],
    }),
  webhooks: z
    .array(webhookSchema)
    .max(50)
    .default([])
    .meta({
      description: 'Who is told what happens: lifecycle events, signed, by HTTP POST (docs/events.md).',
      examples: [
        { name: 'billing', url: 'https://billing.example.com/usher', secret: 'sixteen or more characters' },
      ],
    }),
});

export type Config = z.output<typeof configSchema>;
export type RedisConfig = Config['redis'];
export type WhyConfig = Config['why'];
export type GatewayConfig = Config['gateway'];
export type WebhookConfig = z.output<typeof webhookSchema>;
export type AdminTokenConfig = z.output<typeof adminTokenSchema>;
export type EdgeConfig = z.output<typeof edgeSchema>;
export type ForwardConfig = EdgeConfig['forward'];
export type BackendConfig = z.output<typeof backendSchema>;
export type BreakerConfig = z.output<typeof breakerSchema>;
export type GuardConfig = z.output<typeof guardSchema>;
export type CanariesConfig = z.output<typeof canariesSchema>;
export type CanaryConfig = z.output<typeof canary>;
export type GroupConfig = z.output<typeof groupSchema>;
export type RouteConfig = z.output<typeof routeSchema>;
