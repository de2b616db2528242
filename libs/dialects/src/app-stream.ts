import { BadRequest } from './dialect.js';

/** As any channel's name has at most, bytes. */
const MAX_NAME = 256;
// oxlint-disable-next-line no-control-regex -- control characters are what must not pass
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * The channel that an application and a stream in it are: `live/cam1`, for two applications may have streams of one name.
 * @throws BadRequest
 */
export function appStream(app: string, stream: string): string {
  if (app === '' || stream === '') throw new BadRequest('the application or the stream is not named');
  const name = `${app}/${stream}`;
  if (name.length > MAX_NAME) throw new BadRequest(`the stream’s name is longer than ${MAX_NAME} bytes`);
  if (CONTROL.test(name)) throw new BadRequest('the stream’s name has control characters');
  return name;
}
