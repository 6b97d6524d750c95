// What went wrong, in words.
import { number, word } from './words.js';

/// What a failed request is called, with the server's own words behind it.
export function failureText(error) {
  if (error.kind === 'network') return word('networkFailed');
  if (error.kind === 'key') return word('keyRefused');
  if (error.kind === 'page') return `${word('pageFailed')} ${error.text}`;
  const text = error.text ?? error.message;
  const after = error.retryAfter ? ` ${word('retryAfter', { count: number(error.retryAfter) })}` : '';
  const known = { 402: 'noBalance', 413: 'tooLarge', 429: 'tooMany', 503: 'busy' }[error.status];
  return known ? `${word(known)}${after} (${text})` : `${word('refused')} ${text}`;
}
