import Foundation
import Logging
import SwiftletJSON

/// A log of one JSON object a line, on standard error.
struct JSONLines: LogHandler {
  var logLevel = Logger.Level.info
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var members = [
      JSONMember(key: "time", value: .string(Date.now.formatted(.iso8601.time(includingFractionalSeconds: true)))),
      JSONMember(key: "level", value: .string(event.level.rawValue)),
      JSONMember(key: "message", value: .string(event.message.description)),
    ]
    let all = metadata.merging(event.metadata ?? [:]) { $1 }
    members += all.sorted { $0.key < $1.key }.map { JSONMember(key: $0.key, value: Self.json($0.value)) }
    Output.writeError(JSONValue.object(members).serialized() + "\n")
  }

  private static func json(_ value: Logger.Metadata.Value) -> JSONValue {
    switch value {
    case .string(let text): .string(text)
    case .stringConvertible(let number as Int): .integer(number)
    case .stringConvertible(let number as Double): .number(number)
    case .stringConvertible(let other): .string(other.description)
    case .array(let values): .array(values.map(json))
    case .dictionary(let values):
      .object(values.sorted { $0.key < $1.key }.map { JSONMember(key: $0.key, value: json($0.value)) })
    }
  }
}
