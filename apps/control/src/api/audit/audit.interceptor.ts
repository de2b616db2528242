import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { catchError, concatMap, from, map, throwError, type Observable } from 'rxjs';
import type { ApiRequest } from '../endpoint/api-request.js';
import { endpointOf, isChange } from '../endpoint/endpoint.js';
import { problemOf } from '../problems/problem-of.js';
import type { AuditLog } from './audit-log.js';
import { changeOf } from './change.js';

/** Writes every changing call into the audit log, with what came of it, before it is answered. */
export class AuditInterceptor implements NestInterceptor {
  constructor(private readonly audit: AuditLog) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const endpoint = endpointOf(context.getHandler());
    if (!isChange(request.method, endpoint)) return next.handle();
    const change = changeOf(request, endpoint);
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    return next.handle().pipe(
      concatMap((answer) =>
        from(this.audit.keep(change, reply.statusCode)).pipe(map(() => answer as unknown)),
      ),
      catchError((error: unknown) =>
        from(this.audit.keep(change, problemOf(error))).pipe(concatMap(() => throwError(() => error))),
      ),
    );
  }
}
