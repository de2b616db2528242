import type { BackendConfig } from '#usher/config';
import type { BackendAnswer, Check, Clock, ReasonCode } from '#usher/domain';
import { targetOf } from '../http/address.js';
import { astraHeaders } from '../http/astra-request.js';
import { createCaller } from '../http/caller.js';
import type { Reply } from '../http/exchange.js';
import { ExchangeFailed } from '../http/exchange-error.js';
import { backendFailure } from '../http/failure.js';
import { judgeStatus, type StatusRules } from '../http/judge-status.js';
import { allowFacts, redirectIn } from '../http/reply-facts.js';
import type { Unavailable, Verdict } from '../http/verdict.js';
import { type Adapter, questionKeyOf, seenInputs, sized } from './adapter.js';
import type { Middleware, OwnQuestion } from './middleware.js';

/** What is sent with every question; some firewalls in front of portals refuse requests without these. */
const OWN_HEADERS = ['Accept', '*/*', 'User-Agent', 'Usher'];

/** The adapter of one kind of middleware. Throws for a configuration that makes no sense, naming the setting. */
export function httpAdapter(
  name: string,
  config: BackendConfig,
  middleware: Middleware,
  clock: Clock,
): Adapter {
  const sees = seenInputs(name, middleware.sees, config.irrelevant, middleware.credentialIn);
  const target = targetOf(middleware.address(new URL(config.url)));
  const rules = middleware.rules(config, clock);
  const question = middleware.question?.(config);
  const caller = createCaller(target.origin, config, clock);
  const status: StatusRules = {
    otherStatus: config.otherStatus ?? middleware.otherStatus,
    pathname: target.pathname,
  };
  const own =
    target.authorization === undefined
      ? OWN_HEADERS
      : [...OWN_HEADERS, 'Authorization', target.authorization];

  return {
    name,
    sees,
    questionKey: (check) =>
      question?.isWhole === true ? wholeKey(question, check) : questionKeyOf(check, sees),
    async ask(check, { timeoutMs, signal, again = false }) {
      const startedAt = clock.monotonic();
      const query = question === undefined ? check.query : question.query(check, again);
      if (query === undefined) return notAsked(name, 'no-credentials');
      const path = target.path(query);
      if (path === undefined) return notAsked(name, 'bad-request');
      const headers = question === undefined ? astraHeaders(check, own) : [...own];
      const get = { path, headers, needsBody: rules.needsBody };
      try {
        const reply = await caller.get(get, timeoutMs, signal);
        const verdict = rules.judge(reply, judgeStatus(reply, status), check);
        return answerOf(name, verdict, reply, clock.monotonic() - startedAt);
      } catch (error) {
        if (!(error instanceof ExchangeFailed)) throw error;
        const failure = backendFailure(error, target.secure, timeoutMs);
        return unavailable(name, failure, clock.monotonic() - startedAt);
      }
    },
    close: () => caller.close(),
  };
}

function wholeKey(question: OwnQuestion, check: Check): string {
  const query = question.query(check, false);
  return query === undefined ? '' : sized(query);
}

/**
 * `bad-request`: a query that no HTTP request can carry, a tab in it for instance, is no token of any backend's.
 * `no-credentials`: the viewer shows nothing by which he could be asked about.
 */
function notAsked(
  backend: string,
  reason: Extract<ReasonCode, 'bad-request' | 'no-credentials'>,
): BackendAnswer {
  return { kind: 'deny', backend, reason, status: 403, tookMs: 0 };
}

function answerOf(backend: string, verdict: Verdict, reply: Reply, tookMs: number): BackendAnswer {
  const { status, headers } = reply;
  if (verdict.kind === 'unavailable') return unavailable(backend, verdict, tookMs, status);
  const redirect = redirectIn(status, headers);
  if (verdict.kind === 'deny') {
    if (redirect !== undefined) {
      return {
        kind: 'deny',
        backend,
        reason: 'backend-redirected',
        status: verdict.status,
        redirect,
        tookMs,
      };
    }
    return { kind: 'deny', backend, reason: 'backend-denied', status: plainStatus(verdict.status), tookMs };
  }
  return {
    kind: 'allow',
    backend,
    reason: 'backend-allowed',
    ...(verdict.facts ?? allowFacts(headers)),
    redirect,
    status,
    tookMs,
  };
}

/** A redirect whose address is not passed on is told as a plain denial: without an address a 3xx means nothing. */
function plainStatus(status: number): number {
  return status < 400 ? 403 : status;
}

function unavailable(backend: string, failure: Unavailable, tookMs: number, status?: number): BackendAnswer {
  const { because, reason, detail } = failure;
  return { kind: 'unavailable', backend, because, reason, detail, status, tookMs };
}
