// Keeps the end of what grows in view, unless its reader has scrolled away from it.
import { find } from './dom.js';

/// What lies this near the end counts as the end, in pixels.
const near = 60;

export class Follower {
  /// - Parameters:
  ///   - scroller: what scrolls.
  ///   - onMove: called when the end has come nearer or moved away.
  constructor(scroller, onMove = () => {}) {
    Object.assign(this, { scroller, onMove, isFollowing: true, top: 0, height: 0, room: 0 });
    scroller.addEventListener('scroll', () => this.look());
  }

  /// Pixels below what is seen.
  get distance() {
    return this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight;
  }

  look() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    // What becomes shorter, or has more room, moves by itself.
    const isReader = scrollHeight >= this.height && clientHeight <= this.room;
    if (scrollTop < this.top && isReader) this.isFollowing = this.distance < 2;
    else if (this.distance < near) this.isFollowing = true;
    Object.assign(this, { top: scrollTop, height: scrollHeight, room: clientHeight });
    this.onMove();
  }

  /// Goes to the end.
  /// - Parameter isForced: also when the reader has scrolled away.
  follow(isForced = false) {
    if (isForced) this.isFollowing = true;
    if (!this.isFollowing) {
      this.onMove();
      return;
    }
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior: 'instant' });
    this.look();
  }
}

const toEnd = find('#to-end');
const messages = find('#messages');
const follower = new Follower(find('#scroller'), () => {
  toEnd.hidden = follower.distance < near;
});
// The end stays in view when the field below takes more room, or a keyboard; what the reader unfolds stays where it is.
new ResizeObserver(() => follower.follow()).observe(follower.scroller);
new ResizeObserver(() => follower.onMove()).observe(messages);

toEnd.addEventListener('click', () => {
  followEnd(true);
  // The button is gone.
  messages.lastElementChild?.focus({ preventScroll: true });
});

/// - Parameter isForced: also when the reader has scrolled away.
export function followEnd(isForced = false) {
  if (isForced) follower.isFollowing = true;
  requestAnimationFrame(() => follower.follow());
}
