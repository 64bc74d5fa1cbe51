/** Words for numbers; no JupyterLab in here. */

/** "58 min", "3 h 20 min", "2 d 4 h": whole minutes, rounded down. */
export function duration(minutes: number): string {
  const whole = Math.max(0, Math.floor(minutes));
  if (whole < 60) {
    return `${whole} min`;
  }
  const hours = Math.floor(whole / 60);
  if (hours < 24) {
    return whole % 60 ? `${hours} h ${whole % 60} min` : `${hours} h`;
  }
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}
