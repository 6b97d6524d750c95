internal import Foundation
public import SwiftletJSON

/// Why a file of settings cannot be used.
public struct SettingsError: Error, Sendable, Equatable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// A JSON object of a file that a person wrote. All that is in it must be known: a misspelt name is an error, not a setting that
/// silently does nothing.
public struct Settings {
  private let members: [JSONMember]
  /// Where the object stands: `server.json: prices`.
  private let place: String
  private var known: [String] = []

  /// - Throws: `SettingsError` when the file cannot be read, or holds no JSON object.
  public init(file: String) throws(SettingsError) {
    let path = (file as NSString).expandingTildeInPath
    let json: JSONValue
    do {
      json = try JSONValue(parsing: Array(try Data(contentsOf: URL(fileURLWithPath: path))))
    } catch let error as JSONError {
      throw SettingsError("\(file) is no JSON: \(error)")
    } catch {
      throw SettingsError("\(file) cannot be read: \(error.localizedDescription)")
    }
    try self.init(json, place: file)
  }

  init(_ json: JSONValue, place: String) throws(SettingsError) {
    guard let members = json.members else { throw SettingsError("\(place): found \(Fields.kind(json)), expected an object") }
    let names = members.map(\.key)
    if let twice = names.indices.first(where: { names[..<$0].contains(names[$0]) }) {
      throw SettingsError("\(place): \"\(names[twice])\" is there twice")
    }
    self.members = members
    self.place = place
  }

  var json: JSONValue { .object(members) }

  /// The names that were not read.
  var names: [String] { members.map(\.key).filter { !known.contains($0) } }

  /// - Throws: `SettingsError` naming what nobody read.
  public func end() throws(SettingsError) {
    guard let name = names.first else { return }
    throw SettingsError("\(place): \"\(name)\" is not known; there are \(known.joined(separator: ", "))")
  }

  mutating func value(_ key: String) -> JSONValue? {
    known.append(key)
    return members.first { $0.key == key }?.value
  }

  public func failure(_ key: String, _ reason: String) -> SettingsError { SettingsError("\(place): \(key): \(reason)") }

  private mutating func read<Value>(
    _ key: String, _ expected: String, _ convert: (JSONValue) -> Value?
  ) throws(SettingsError) -> Value? {
    guard let json = value(key) else { return nil }
    guard let value = convert(json) else { throw failure(key, "found \(Fields.kind(json)), expected \(expected)") }
    return value
  }

  public mutating func string(_ key: String) throws(SettingsError) -> String? { try read(key, "a string", \.string) }
  public mutating func bool(_ key: String) throws(SettingsError) -> Bool? { try read(key, "true or false", \.bool) }

  public mutating func strings(_ key: String) throws(SettingsError) -> [String]? {
    try read(key, "an array of strings") { value in
      guard let elements = value.elements else { return nil }
      let strings = elements.compactMap(\.string)
      return strings.count == elements.count ? strings : nil
    }
  }

  public mutating func number(_ key: String, in range: ClosedRange<Double>) throws(SettingsError) -> Double? {
    guard let value = try read(key, "a number", \.double) else { return nil }
    guard range.contains(value) else { throw failure(key, "found \(value), expected \(range.lowerBound) to \(range.upperBound)") }
    return value
  }

  public mutating func integer(_ key: String, in range: ClosedRange<Int>) throws(SettingsError) -> Int? {
    guard let value = try read(key, "an integer", \.integer) else { return nil }
    guard range.contains(value) else { throw failure(key, "found \(value), expected \(range.lowerBound) to \(range.upperBound)") }
    return value
  }

  /// An object in this one.
  public mutating func settings(_ key: String) throws(SettingsError) -> Settings? {
    guard let json = value(key) else { return nil }
    return try Settings(json, place: "\(place): \(key)")
  }

  /// The objects of an array.
  mutating func list(_ key: String) throws(SettingsError) -> [Settings]? {
    guard let elements = try read(key, "an array", \.elements) else { return nil }
    var list: [Settings] = []
    for (index, element) in elements.enumerated() { list.append(try Settings(element, place: "\(place): \(key)[\(index)]")) }
    return list
  }
}

extension PriceList {
  /// Reads `{"MODEL": {"cache_hit": 0.07, "cache_miss": 0.27, "output": 1.1}, "*": …}`, in dollars per million tokens.
  public init(_ settings: Settings) throws(SettingsError) {
    self.init()
    var settings = settings
    for name in settings.names {
      guard var entry = try settings.settings(name) else { continue }
      func price(_ key: String) throws(SettingsError) -> Int64 {
        guard let dollars = try entry.number(key, in: 0...Double(Prices.largest) / 1e6) else {
          throw entry.failure(key, "is missing; a price is in dollars per million tokens")
        }
        // Six decimals are whole pico-dollars a token. Doubles are exact enough to tell them apart, and are not computed with.
        let millionths = (dollars * 1e6).rounded()
        guard abs(dollars * 1e6 - millionths) < 1e-4 else {
          throw entry.failure(key, "found \(dollars), expected at most six decimals")
        }
        return Int64(millionths)
      }
      let prices = Prices(cacheHit: try price("cache_hit"), cacheMiss: try price("cache_miss"), output: try price("output"))
      try entry.end()
      if name == "*" { others = prices } else { models[name] = prices }
    }
  }
}
