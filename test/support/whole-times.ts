/**
 * An edge is told to rely on an answer for up to a tenth less than it may, so that those who asked together do not ask
 * together again: the answer as if nothing were taken off one of these times, s.
 */
export function wholeTimes(answer: string, header: string, times: readonly number[]): string {
  return answer.replace(new RegExp(`${header}: (\\d+)`), (text, said: string) => {
    const seconds = Number(said);
    const whole = times.find((most) => seconds <= most && seconds >= Math.floor(0.9 * most));
    return whole === undefined ? text : `${header}: ${whole}`;
  });
}
