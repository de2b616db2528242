import { z } from 'zod';
import type { GateStatus } from '#usher/backends';
import type { BackendConfig } from '#usher/config';
import { instantText, timeText } from '../endpoint/fields.js';

export const backendView = z.strictObject({
  name: z.string(),
  type: z.string(),
  address: z.string().describe('Without what it may hide.'),
  namespace: z.string(),
  credential: z.string().describe('once, or reusable'),
  failMode: z.string(),
  state: z.string().describe('closed (it is asked), suspended, half-open (it is probed), ramping'),
  since: instantText.nullable(),
  says: z.string(),
  alone: z.boolean().describe('Redis is away: this process decides by itself.'),
  isolated: z.boolean().describe('This process does not reach it, and others do.'),
  suspicious: z.boolean().describe('Its answers are clean, and unlike it.'),
  groups: z.array(z.string()).describe('Of which it is a member.'),
});

const SENTENCES: Readonly<Record<GateStatus['state'], string>> = {
  closed: 'It is asked.',
  suspended: 'It is suspended after failures: nobody asks it.',
  'half-open': 'It is suspended and probed.',
  ramping: 'It answers again: its questions are let through step by step.',
};
const MEANWHILE: Readonly<Record<string, string>> = {
  open: ' Who is not known is let in on trust.',
  closed: ' Who was not allowed before is refused.',
  'stale, then open': ' Who is not known is let in on trust.',
  'stale, then closed': ' Who is not known is refused.',
};

export function backendOf(
  name: string,
  config: BackendConfig,
  status: GateStatus,
  groups: readonly string[],
): z.output<typeof backendView> {
  const failMode = failModeText(config.failMode);
  const { state, since, alone, isolated, suspicion } = status;
  return {
    name,
    type: config.type,
    address: originOf(config.url),
    namespace: config.namespace ?? name,
    credential: config.credential,
    failMode,
    state,
    since: since > 0 ? timeText(since) : null,
    says: `${SENTENCES[state]}${state === 'closed' ? '' : (MEANWHILE[failMode] ?? '')}`,
    alone,
    isolated,
    suspicious: suspicion !== undefined,
    groups: [...groups],
  };
}

export function failModeText(mode: BackendConfig['failMode']): string {
  return mode.kind === 'stale' ? `stale, then ${mode.then}` : mode.kind;
}

/** No user, no password, no query. */
function originOf(address: string): string {
  const { protocol, host, pathname } = new URL(address);
  return `${protocol}//${host}${pathname}`;
}
