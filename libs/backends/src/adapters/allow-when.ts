import type { BackendConfig } from '#usher/config';
import { failed } from '../http/verdict.js';
import type { AnswerRules } from './middleware.js';

/**
 * Every 200 is an allow; with `allowWhen` only one that has this header and this text in its body. A 200 without is
 * a broken backend, as an error page sent with 200 is; a denial is a status.
 */
export function allowWhenRules(config: BackendConfig): AnswerRules {
  const { header, body } = config.allowWhen ?? {};
  const field = header?.toLowerCase();
  return {
    needsBody: (status) => status === 200 && body !== undefined,
    judge: (reply, byStatus) => {
      if (byStatus.kind !== 'allow') return byStatus;
      if (field !== undefined && reply.headers[field] === undefined) {
        return failed('backend-malformed', `status 200 without the header ${header}`);
      }
      if (body !== undefined && !reply.body.includes(body)) {
        return failed('backend-malformed', 'status 200 without the text that allowWhen.body names');
      }
      return byStatus;
    },
  };
}
