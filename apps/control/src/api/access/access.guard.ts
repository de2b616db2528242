import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { Log } from '#usher/domain';
import { addressOf, type ApiRequest } from '../endpoint/api-request.js';
import { endpointOf, isChange } from '../endpoint/endpoint.js';
import { Problem } from '../problems/problem.js';
import type { AuditLog } from '../audit/audit-log.js';
import { changeOf } from '../audit/change.js';
import type { FailedLogins } from './failed-logins.js';
import { tokenDigest, type Caller, type TokenTable } from './token-table.js';

const BEARER = /^Bearer +([\x21-\x7e]{1,256}) *$/i;

/** Lets nobody through but who shows a token with the role that the route needs. A route without facts is for nobody. */
export class AccessGuard implements CanActivate {
  constructor(
    private readonly tokens: TokenTable,
    private readonly logins: FailedLogins,
    private readonly audit: AuditLog,
    private readonly log: Log,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<ApiRequest>();
    const endpoint = endpointOf(context.getHandler());
    if (endpoint.isPublic === true) return true;
    const caller = this.callerOf(request);
    request.caller = caller;
    if (isChange(request.method, endpoint) && caller.role !== 'operator') {
      const problem = new Problem(
        'role-too-low',
        `${caller.name} is an observer; this call changes something.`,
      );
      await this.audit.keep(changeOf(request, endpoint), problem);
      throw problem;
    }
    return true;
  }

  private callerOf(request: ApiRequest): Caller {
    const address = addressOf(request);
    const locked = this.logins.lockedFor(address);
    if (locked > 0) throw tooMany(locked);
    const header = request.headers.authorization;
    if (header === undefined) throw unauthorized('no-token', 'The header Authorization is missing.');
    const token = BEARER.exec(header)?.[1];
    if (token === undefined)
      throw unauthorized('no-token', 'The header Authorization holds no bearer token.');
    const caller = this.tokens.find(token);
    if (caller !== undefined) return caller;
    if (this.logins.note(address, tokenDigest(token))) {
      this.log.warn(
        { address },
        'too many wrong tokens for the admin API: this address is not listened to for a minute',
      );
      throw tooMany(this.logins.lockedFor(address));
    }
    throw unauthorized('wrong-token', 'No token of this Usher is like this one.');
  }
}

function unauthorized(code: 'no-token' | 'wrong-token', detail: string): Problem {
  const error = code === 'wrong-token' ? ', error="invalid_token"' : '';
  return new Problem(code, detail, { headers: { 'www-authenticate': `Bearer realm="usher"${error}` } });
}

function tooMany(seconds: number): Problem {
  const detail = `This address is listened to again in ${seconds} s.`;
  return new Problem('too-many-logins', detail, { headers: { 'retry-after': String(seconds) } });
}
