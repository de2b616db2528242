import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { z } from 'zod';
import { flawsOf } from '../problems/flaws.js';
import { Problem, type ProblemCode } from '../problems/problem.js';
import type { ApiRequest } from './api-request.js';
import { endpointOf } from './endpoint.js';

const NOTHING = z.strictObject({});

/** Checks what came in against the route's schemas, before the route sees it. What no schema names is refused. */
export class CheckInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const { query = NOTHING, params, body } = endpointOf(context.getHandler());
    request.query = checked(query, request.query, 'bad-parameter');
    if (params !== undefined) request.params = checked(params, request.params, 'bad-parameter');
    if (body !== undefined) request.body = checked(body, request.body ?? {}, 'bad-body');
    else if (request.body !== undefined && request.body !== null) {
      throw new Problem('bad-body', 'This call takes no body.', {
        errors: [{ parameter: '', says: 'no body is taken' }],
      });
    }
    return next.handle();
  }
}

/** The value as the schema reads it. */
function checked(schema: z.ZodType, value: unknown, code: ProblemCode): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors = flawsOf(result.error.issues, schema, value);
  const detail = errors.map(({ parameter, says }) => `${parameter === '' ? 'body' : parameter}: ${says}`);
  throw new Problem(code, `${detail.join('; ').slice(0, 1_000)}.`, { errors });
}
