import { z } from 'zod';
import { parseAccount } from './accounts.js';
import { durationOf, httpUrl, network } from './units.js';

/**
 * What the gateway decides by itself, per route. The order of the keys is the order in which they are looked at; what
 * one leaves undecided goes on to the next, and at last to the backend. docs/rules.md tells what each does.
 */
const file = z.string().min(1);
const networks = z.array(network).max(10_000).default([]);
const country = z.string().regex(/^[A-Z]{2}$/, 'two capital letters (ISO 3166-1), such as DE');
const parameter = z
  .string()
  .regex(/^[A-Za-z0-9._~-]{1,64}$/, 'the name of a query parameter: letters, digits, . _ ~ -');
const secrets = (least: number, most: number) =>
  z.union(
    [
      z
        .string()
        .min(least)
        .transform((one) => [one]),
      z.array(z.string().min(least)).min(1).max(most),
    ],
    `a secret of at least ${least} characters, or a list of such`,
  );
const texts = z.union(
  [
    z
      .string()
      .min(1)
      .transform((one) => [one]),
    z.array(z.string().min(1)).min(1).max(16),
  ],
  'a text, or a list of such',
);

export const ipRuleSchema = z.strictObject({
  allow: networks.describe('Let in, and nobody else is asked.'),
  deny: networks.describe('Refused.'),
  pass: networks.describe('Goes straight to the backend, past all rules below.'),
  file: file
    .optional()
    .describe(
      'A list: `allow`, `deny` or `pass` and a network on each line; a network alone is refused. Read again when it changes.',
    ),
});

export const countriesRuleSchema = z.strictObject({
  database: file.describe('An MMDB file (GeoLite2-Country, DB-IP …). Read again when it changes.'),
  allow: z.array(country).default([]).describe('All others are refused. These go on to the next rule.'),
  deny: z.array(country).default([]).describe('Refused.'),
  unknown: z.enum(['pass', 'deny']).default('pass').describe('An address that the database does not know.'),
});

const agent = z.string().min(1).max(256);

export const userAgentsRuleSchema = z.strictObject({
  allow: z
    .array(agent)
    .max(1_000)
    .default([])
    .describe('All others are refused. A part of the name, or with * and ? the whole; case does not count.'),
  deny: z.array(agent).max(1_000).default([]).describe('Refused; wins over allow.'),
});

export const referersRuleSchema = z.strictObject({
  hosts: z
    .array(
      z
        .string()
        .toLowerCase()
        .regex(
          /^(\*\.)?[a-z0-9_]([a-z0-9._-]{0,252}[a-z0-9_])?$/,
          'a host, such as example.com or *.example.com',
        ),
    )
    .min(1)
    .max(1_000)
    .describe('The sites that may show the channel. *.example.com: all below it, not itself.'),
  none: z
    .enum(['pass', 'deny'])
    .default('pass')
    .describe('A player that names none, as boxes do. Astra and Alta never pass one on.'),
});

export const securetokenRuleSchema = z.strictObject({
  flavour: z
    .enum(['astra', 'alta', 'hmac'])
    .default('astra')
    .describe(
      'How tokens are made. astra: SHA-1 over the channel’s id; alta: over its path; hmac: Usher’s own.',
    ),
  secrets: secrets(8, 8).meta({
    description: 'What tokens are made with; several while you change it.',
    secret: 'all',
  }),
  parameter: parameter.default('token').describe('The query parameter.'),
  ip: z
    .enum(['required', 'optional', 'ignored'])
    .default('required')
    .describe('Whether tokens are made for one address. optional: with it or without.'),
  leeway: durationOf(0).default(30_000).describe('So far clocks may differ.'),
});

const account = z.string().superRefine((line, context) => {
  try {
    parseAccount(line);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

export const usersRuleSchema = z.strictObject({
  accounts: z.array(account).max(1_000).default([]).meta({
    description: 'Lines as `usher hash` prints them: name:$scrypt$…, or name:$sha256$… for a static token.',
    secret: 'all',
  }),
  file: file.optional().describe('A file of such lines. Read again when it changes.'),
  loginParameter: parameter.default('auth').describe('users: ?auth=login:password; Basic is read too.'),
  tokenParameter: parameter.default('token').describe('users: ?token=, for static tokens.'),
});

/** What of a token is whose. */
const claim = z.string().min(1).max(64);

export const JWT_ASYMMETRIC = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;
export const JWT_HMAC = ['HS256', 'HS384', 'HS512'] as const;

export const jwtRuleSchema = z.strictObject({
  url: httpUrl.optional().meta({
    description: 'Where the public keys are (JWKS). Fetched in the background; the last good ones stay.',
    secret: 'address',
  }),
  file: file.optional().describe('Or a file with them. Read again when it changes.'),
  secrets: secrets(32, 8).optional().meta({
    description: 'Or secrets of at least 32 characters, for HS256, HS384, HS512 only.',
    secret: 'all',
  }),
  algorithms: z
    .array(z.enum([...JWT_ASYMMETRIC, ...JWT_HMAC]))
    .min(1)
    .default(['RS256', 'ES256', 'EdDSA'])
    .describe('No other is accepted; none never is.'),
  issuer: texts.optional().describe('Iss must be (one of) this.'),
  audience: texts.optional().describe('Aud must name (one of) this.'),
  parameter: parameter.default('token').describe('The query parameter; a Bearer is read too.'),
  claims: z
    .strictObject({
      user: claim.default('sub').describe('The claim that names the user.'),
      channels: claim
        .optional()
        .describe(
          'The claim with the channel, or a list of channels; * and ? are globs. Then it is required.',
        ),
      ip: claim
        .optional()
        .describe('The claim with the address or network, or a list of such. Then it is required.'),
      sessions: claim.default('sessions').describe('The claim that says how many devices at once.'),
    })
    .prefault({})
    .describe('What the token’s claims are called.'),
  requireExp: z.boolean().default(true).describe('Refuse tokens without an end (exp).'),
  leeway: durationOf(0).default(30_000).describe('So far clocks may differ.'),
  refresh: durationOf(10_000)
    .default(600_000)
    .describe('How often the address of the keys is asked, with jitter.'),
});

export const rulesSchema = z.strictObject({
  ip: ipRuleSchema.optional().describe('The viewer’s address. The longest network wins.'),
  countries: countriesRuleSchema.optional().describe('The country of the viewer’s address. It refuses only.'),
  userAgents: userAgentsRuleSchema.optional().describe('What the player calls itself. It refuses only.'),
  referers: referersRuleSchema
    .optional()
    .describe('The web page that the player stands on. It refuses only.'),
  securetoken: securetokenRuleSchema.optional().describe('Signed tokens with an end.'),
  users: usersRuleSchema.optional().describe('Logins with passwords, and static tokens.'),
  jwt: jwtRuleSchema.optional().describe('JSON Web Tokens.'),
  otherwise: z
    .enum(['pass', 'deny'])
    .optional()
    .describe(
      'Whoever no rule decided about. Default: pass where the route has a backend, a group or access; else deny.',
    ),
});

export type RulesConfig = z.output<typeof rulesSchema>;
export type IpRuleConfig = z.output<typeof ipRuleSchema>;
export type CountriesRuleConfig = z.output<typeof countriesRuleSchema>;
export type UserAgentsRuleConfig = z.output<typeof userAgentsRuleSchema>;
export type ReferersRuleConfig = z.output<typeof referersRuleSchema>;
export type SecuretokenRuleConfig = z.output<typeof securetokenRuleSchema>;
export type UsersRuleConfig = z.output<typeof usersRuleSchema>;
export type JwtRuleConfig = z.output<typeof jwtRuleSchema>;
