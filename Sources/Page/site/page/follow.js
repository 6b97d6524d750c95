// Keeps the end of a chat in view while it grows, unless the reader has scrolled away.
import { find } from './dom.js';

const scroller = find('#scroller');
const toEnd = find('#to-end');
let isFollowing = true;

const isAtEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60;

scroller.addEventListener('scroll', () => {
  isFollowing = isAtEnd();
  toEnd.hidden = isFollowing;
});
toEnd.addEventListener('click', () => followEnd(true));

/// - Parameter isForced: also when the reader has scrolled away.
export function followEnd(isForced = false) {
  if (isForced) isFollowing = true;
  if (isFollowing) requestAnimationFrame(() => scroller.scrollTo({ top: scroller.scrollHeight, behavior: 'instant' }));
}
