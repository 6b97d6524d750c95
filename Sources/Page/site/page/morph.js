// Changes nodes that are shown into others like them. What is the same stays the same node: with its place of scrolling, with what is
// selected in it, and with the focus.

/// Makes the children of `parent` like `nodes`, which are used up.
/// - Parameter start: how many children before them stay as they are.
export function morphChildren(parent, nodes, start = 0) {
  nodes.forEach((node, index) => {
    const there = parent.childNodes[start + index];
    if (!there) parent.append(node);
    else if (!morph(there, node)) there.replaceWith(node);
  });
  while (parent.childNodes.length > start + nodes.length) parent.lastChild.remove();
}

/// - Returns: whether `node` could be made like `other`.
function morph(node, other) {
  if (node.nodeName !== other.nodeName) return false;
  // A button may be saying what it has just done.
  if (node.nodeName === 'BUTTON') return true;
  if (node.nodeType === Node.TEXT_NODE) {
    // What is only added leaves a selection alone.
    if (other.data.startsWith(node.data)) node.appendData(other.data.slice(node.data.length));
    else node.data = other.data;
    return true;
  }
  for (const { name } of [...node.attributes]) if (!other.hasAttribute(name)) node.removeAttribute(name);
  for (const { name, value } of other.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  if (node.nodeName === 'INPUT') node.checked = other.checked;
  morphChildren(node, [...other.childNodes]);
  return true;
}
