import { unescaped } from '#usher/domain';
import { BadRequest } from '../dialect.js';

/** What nginx-rtmp tells of a connection: its own fields, and behind them the viewer's words. */
export interface Notice {
  readonly call: string;
  /** A field of nginx-rtmp's own, decoded; empty where it has none. */
  readonly field: (name: string) => string;
  /** What the viewer appended to the stream's name behind `?`, as it came. */
  readonly args: string;
}

/** As ngx_rtmp_netcall_http_format_session writes them; on_connect has `epoch` for `clientid`. */
const OF_SESSION = ['app', 'flashver', 'swfurl', 'tcurl', 'pageurl', 'addr'];
/** What each call has behind `call`, as ngx_rtmp_notify_module.c writes it: in this order, and once. */
const OF_CALL: ReadonlyMap<string, readonly string[]> = new Map([
  ['connect', []],
  ['disconnect', ['app']],
  ['play', ['name', 'start', 'duration', 'reset']],
  ['publish', ['name', 'type']],
  ['play_done', ['name']],
  ['publish_done', ['name']],
  ['done', ['name']],
  ['record_done', ['recorder', 'name', 'path']],
  ['update_play', ['time', 'timestamp', 'name']],
  ['update_publish', ['time', 'timestamp', 'name']],
  ['update', ['time', 'timestamp', 'name']],
]);
/** Left out where a connection has no stream yet. */
const MAY_LACK = new Set(['play_done', 'publish_done', 'done', 'update_play', 'update_publish', 'update']);

/**
 * Cuts nginx-rtmp's own fields off, which stand first and in one order; they are escaped, so that none holds `&`. All behind
 * them is the viewer's, raw: whatever names he writes there are his words.
 * @throws BadRequest
 */
export function readNotice(form: string): Notice {
  const cut = new Cut(form);
  for (const name of OF_SESSION) cut.need(name);
  cut.need(cut.isNext('epoch') ? 'epoch' : 'clientid');
  const call = cut.need('call');
  const names = OF_CALL.get(call);
  if (names === undefined) throw new BadRequest('call is none of nginx-rtmp’s');
  for (const name of names) {
    if (name !== 'name' || !MAY_LACK.has(call) || cut.isNext(name)) cut.need(name);
  }
  return { call, field: (name) => cut.values.get(name) ?? '', args: cut.rest };
}

/** A form that is read from its beginning, field by field. */
class Cut {
  readonly values = new Map<string, string>();

  constructor(public rest: string) {}

  isNext(name: string): boolean {
    return this.rest.startsWith(`${name}=`);
  }

  /** The next field, which has this name. @throws BadRequest */
  need(name: string): string {
    if (!this.isNext(name)) throw new BadRequest(`it is not as nginx-rtmp asks: ${name} is not in its place`);
    const mark = this.rest.indexOf('&');
    const end = mark === -1 ? this.rest.length : mark;
    const value = unescaped(this.rest.slice(name.length + 1, end));
    // Of a name that is there twice (on_disconnect’s app) the first one counts.
    if (!this.values.has(name)) this.values.set(name, value);
    this.rest = this.rest.slice(end + 1);
    return value;
  }
}
