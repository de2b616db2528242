import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Log } from '#usher/domain';
import { Problem } from './problem.js';
import { problemOf } from './problem-of.js';

/** The one place where an error becomes an answer: a problem document, whatever it was. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    private readonly log: Log,
    /** Methods that a path takes; empty: there is no such path. */
    private readonly methodsAt: (path: string) => readonly string[],
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const problem = this.atThisPath(problemOf(error), request);
    if (problem.code === 'internal') {
      this.log.error({ error, method: request.method }, 'a call of the admin API broke');
    }
    sendProblem(reply, problem);
  }

  /** No route was found: there may be one for another method. */
  private atThisPath(problem: Problem, request: FastifyRequest): Problem {
    if (problem.code !== 'no-such-path') return problem;
    const methods = this.methodsAt(request.url.split('?')[0] ?? '');
    if (methods.length === 0) return problem;
    const allow = methods.join(', ');
    return new Problem('wrong-method', `This path takes ${allow}.`, { headers: { allow } });
  }
}

/** Answers with a problem document. */
export function sendProblem(reply: FastifyReply, problem: Problem): void {
  void reply
    .status(problem.status)
    .headers({ 'cache-control': 'no-store', ...problem.more.headers })
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(JSON.stringify(problem.document()));
}
