import type { Decision } from '#usher/domain';
import { headerSafe, redirectHeaders } from '../cesbo/redirect.js';
import type { EdgeAnswer, EdgeFacts } from '../dialect.js';

/**
 * What Flussonic is told. The body stays empty: it would be read as configuration of the stream.
 * @param passLimits X-Max-Sessions and X-Unique go on to Flussonic, which then enforces them on its own node
 */
export function flussonicAnswer(decision: Decision, facts: EdgeFacts, passLimits: boolean): EdgeAnswer {
  const { allow, redirect, status, verbatim } = decision;
  const headers: Record<string, string> = {};
  if (decision.edgeTtl !== undefined) headers['X-AuthDuration'] = String(decision.edgeTtl);
  if (allow) return { status: 200, headers: { ...headers, ...grantHeaders(decision, passLimits) } };
  // In mode observe as the backend said it: what Flussonic makes of it is what it made of it before.
  if (verbatim === true && status !== undefined) {
    return { status, headers: { ...headers, ...redirectHeaders(decision) } };
  }
  // Only a player can be shown something else.
  if (redirect !== undefined && facts.action !== 'publish') {
    return { status: 302, headers: { ...headers, Location: redirect.address } };
  }
  // No answer of ours: a session that plays plays on, and Flussonic asks again.
  if (isUnavailable(decision)) return { status: 503, headers: {} };
  return { status: 403, headers };
}

/** In mode observe the backend's own answer goes on unchanged. */
function grantHeaders(decision: Decision, passLimits: boolean): Record<string, string> {
  const { user, maxSessions, unique, verbatim } = decision;
  const headers: Record<string, string> = {};
  const userId = headerSafe(user ?? '');
  if (userId !== '') headers['X-UserId'] = userId;
  if (!passLimits && verbatim !== true) return headers;
  if (maxSessions !== undefined) headers['X-Max-Sessions'] = String(maxSessions);
  if (unique === true) headers['X-Unique'] = 'true';
  return headers;
}

/**
 * Nobody who knows could be asked. Where an operator's limit has ended letting in on trust it is a refusal: a 503 would
 * let everybody who is in on trust play on.
 */
function isUnavailable({ source, reason }: Decision): boolean {
  return (source === 'fail-closed' || source === 'overload') && reason !== 'trust-ended';
}
