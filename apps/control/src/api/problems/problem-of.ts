import { HttpException } from '@nestjs/common';
import { RedisAwayError, RedisTimeoutError } from '#usher/redis';
import { InvalidCursorError } from '#usher/sessions';
import { Problem } from './problem.js';

/** Fastify's own errors, by their codes. */
const OF_FASTIFY: Readonly<Record<string, () => Problem>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => new Problem('wrong-type', 'Only application/json is taken.'),
  FST_ERR_CTP_BODY_TOO_LARGE: () => new Problem('too-large', 'The body is longer than 64 KiB.'),
  FST_ERR_CTP_EMPTY_JSON_BODY: () => new Problem('bad-json', 'The body is empty.'),
  FST_ERR_CTP_INVALID_JSON_BODY: () => new Problem('bad-json', 'The body is no JSON.'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () =>
    new Problem('bad-request', 'The body is not as long as Content-Length says.'),
  FST_ERR_BAD_URL: () => new Problem('bad-request', 'The path is no valid URL: check what stands after %.'),
};
const OF_STATUS: Readonly<Record<number, () => Problem>> = {
  400: () => new Problem('bad-request', 'The request could not be understood.'),
  404: () => new Problem('no-such-path', 'There is nothing at this path.'),
  413: OF_FASTIFY['FST_ERR_CTP_BODY_TOO_LARGE']!,
  415: OF_FASTIFY['FST_ERR_CTP_INVALID_MEDIA_TYPE']!,
};

/** What a caller is told of an error. Errors of nobody are faults of ours: nothing of them is told. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof RedisAwayError || error instanceof RedisTimeoutError) {
    return new Problem('redis-away', 'Redis does not answer, and what was asked for is there.', {
      cause: error,
    });
  }
  if (error instanceof InvalidCursorError) {
    const says = 'not one that a list gave out';
    return new Problem('bad-parameter', `cursor: ${says}.`, { errors: [{ parameter: 'cursor', says }] });
  }
  const { code, statusCode, cause } = (error ?? {}) as {
    code?: unknown;
    statusCode?: unknown;
    cause?: unknown;
  };
  const known = OF_FASTIFY[String(code)] ?? OF_FASTIFY[String((cause as { code?: unknown } | null)?.code)];
  if (known !== undefined) return known();
  const status = error instanceof HttpException ? error.getStatus() : Number(statusCode);
  return OF_STATUS[status]?.() ?? new Problem('internal', 'Something broke in Usher.', { cause: error });
}
