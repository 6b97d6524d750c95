internal import Hummingbird
internal import SwiftletJSON

/// `GET /user/balance`, as DeepSeek has it, and what a balance allows.
extension API {
  func balance(_ request: Request, _ context: ServerContext) -> Response {
    // Of a server without keys, where nothing is paid for.
    let key = context.record.key
    return Self.response([
      "is_available": .bool(key.map { prices.isEmpty || $0.balance > .zero } ?? true),
      "balance_infos": [
        [
          "currency": "USD", "total_balance": .string((key?.balance ?? .zero).description),
          "granted_balance": .string((key?.granted ?? .zero).description),
          "topped_up_balance": .string((key?.toppedUp ?? .zero).description),
        ]
      ],
    ])
  }

  var prices: PriceList { configuration.prices }

  /// What a model's tokens cost a key; nil when they cost nothing.
  /// - Throws: `APIError` (402) when there is nothing left to pay with.
  func checkedPrices(_ served: ServedModel, _ key: APIKey?) throws(APIError) -> Prices? {
    guard let key, let prices = prices[served.id] else { return nil }
    guard key.balance > .zero else { throw .insufficientBalance }
    return prices
  }
}
