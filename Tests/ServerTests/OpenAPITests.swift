import Foundation
import SwiftletJSON
import Testing

@testable import SwiftletServer

/// The document of the API, and whether the server has what it names.
@Suite struct OpenAPITests {
  /// An operation at one address.
  private struct Operation {
    var method: String
    var path: String
    var hasBody: Bool
    var isOpen: Bool
  }

  /// Every operation at every address, with values for the parameters.
  private static func operations(_ document: JSONValue) throws -> [Operation] {
    var operations: [Operation] = []
    for member in try #require(document["paths"]?.members) {
      let item = member.value
      let addresses = [member.key] + (item["x-also-at"]?.elements?.compactMap(\.string) ?? [])
      for method in ["get", "put", "post", "delete"] {
        guard let operation = item[method] else { continue }
        for address in addresses {
          let path = address.replacing("{model}", with: "tiny").replacing("{chat}", with: "c1").replacing("{message}", with: "m1")
          operations.append(
            Operation(
              method: method.uppercased(), path: path, hasBody: operation["requestBody"] != nil,
              isOpen: operation["security"]?.elements?.isEmpty == true))
        }
      }
    }
    return operations
  }

  @Test func theDocumentIsServed() async throws {
    try await TestServer.run { server async throws in
      let answer = try await server.send("GET", "/openapi.json")
      #expect(answer.status == 200 && answer.header("Content-Type") == "application/json")
      let document = try answer.json
      #expect(document["openapi"]?.string == "3.1.0")
      #expect(document["paths"]?.members?.isEmpty == false)
      #expect(document["components"]?["securitySchemes"]?["bearer"] != nil)
    }
  }

  /// Nothing is named that is not there. What takes a body refuses an empty one for that, before anything else.
  @Test func everyOperationIsThere() async throws {
    try await TestServer.run { server async throws in
      let operations = try Self.operations(try await server.send("GET", "/openapi.json").json)
      #expect(operations.count > 30)
      // Paths of chats answer 404 too where there is no such chat.
      #expect(try await server.send("PUT", "/api/chats/c1", Array("{}".utf8)).status == 200)
      // What removes comes last.
      for operation in operations.filter({ $0.method != "DELETE" }) + operations.filter({ $0.method == "DELETE" }) {
        let answer = try await server.send(operation.method, operation.path, operation.hasBody ? [] : nil)
        let expected = operation.hasBody ? 400 : operation.method == "DELETE" ? 204 : 200
        #expect(answer.status == expected, "\(operation.method) \(operation.path): \(answer.status)")
      }
    }
  }

  /// Once there are keys, whoever has none gets what the document calls open, and nothing else.
  @Test func onlyWhatIsCalledOpenIsOpen() async throws {
    try await TestServer.run { server async throws in
      let document = try await server.send("GET", "/openapi.json").json
      _ = try server.store.createKey(name: "alice")
      for operation in try Self.operations(document) {
        let answer = try await server.send(operation.method, operation.path, operation.hasBody ? [] : nil)
        #expect(answer.status == (operation.isOpen ? 200 : 401), "\(operation.method) \(operation.path): \(answer.status)")
      }
    }
  }

  /// References lead somewhere, and no two operations have one id.
  @Test func theDocumentIsWhole() throws {
    let file = try #require(PageFiles.all.first { $0.path == "/openapi.json" })
    let document = try JSONValue(parsing: String(buffer: file.bytes))
    var ids: Set<String> = []
    func visit(_ value: JSONValue) {
      if let reference = value["$ref"]?.string {
        var target: JSONValue? = document
        for part in reference.dropFirst(2).split(separator: "/") { target = target?[String(part)] }
        #expect(reference.hasPrefix("#/") && target != nil, "\(reference)")
      }
      if let id = value["operationId"]?.string, value["responses"] != nil { #expect(ids.insert(id).inserted, "\(id)") }
      for member in value.members ?? [] { visit(member.value) }
      for element in value.elements ?? [] { visit(element) }
    }
    visit(document)
    let paths = try #require(document["paths"]?.members)
    #expect(ids.count >= paths.count)
  }
}
