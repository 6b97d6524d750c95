/// Words that problems are made of.
enum WordList {
  static let nouns = [
    "anchor", "apple", "arrow", "badge", "banana", "basket", "bottle", "bridge", "bucket", "butter", "button", "candle", "carpet",
    "castle", "cherry", "circle", "clock", "cloud", "coffee", "copper", "cotton", "desert", "dragon", "drawer", "eagle", "engine",
    "feather", "flower", "forest", "garden", "guitar", "hammer", "harbor", "island", "jacket", "kettle", "ladder", "lantern",
    "lemon", "letter", "marble", "meadow", "mirror", "monkey", "needle", "orange", "paper", "pencil", "pepper", "piano", "pillow",
    "planet", "pocket", "potato", "puzzle", "rabbit", "ribbon", "river", "rocket", "saddle", "school", "shadow", "silver",
    "spider", "spoon", "stone", "summer", "table", "ticket", "tiger", "tomato", "tunnel", "turtle", "valley", "violin", "wagon",
    "walnut", "window", "winter", "yellow",
  ]
}
