internal import CSwiftletPage
internal import Crypto
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// The files of the chat page and the dashboard, and the document of the API, which are part of the program.
struct PageFiles: Sendable {
  struct File: Sendable {
    /// As in the address: `/page/app.js`.
    let path: String
    let type: String
    let bytes: ByteBuffer
    /// Of the bytes (RFC 9110, section 8.8.3), so that a browser that has them is sent nothing.
    let tag: String
  }

  static let all: [File] = {
    var files: [File] = []
    while let file = swiftlet_page_file_at(files.count)?.pointee {
      let bytes = UnsafeBufferPointer(start: file.bytes, count: file.count)
      let tag = SHA256.hash(data: bytes).prefix(12).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      files.append(
        File(
          path: String(cString: file.path), type: String(cString: file.type), bytes: ByteBuffer(bytes: bytes), tag: "\"\(tag)\""))
    }
    return files
  }()

  /// Other addresses of files.
  private static let addresses = ["/index.html": "/", "/dashboard.html": "/dashboard"]

  /// Adds every file. They hold nobody's data, so no key is asked for.
  static func add(to router: Router<ServerContext>) {
    for file in all {
      let path = RouterPath(addresses[file.path] ?? file.path)
      router.get(path) { request, _ in response(file, request) }
      router.head(path) { request, _ in response(file, request, hasBody: false) }
    }
  }

  /// What a page may do: run the server's own scripts and styles, speak to the server, show pictures made here. Nothing inline, nothing
  /// from elsewhere, no page around it, and no text as markup (Trusted Types), so that an answer that smuggles code in finds no way.
  private static let policy = [
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data: blob:",
    "manifest-src 'self'", "worker-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    "require-trusted-types-for 'script'", "trusted-types swiftlet",
  ].joined(separator: "; ")

  private static let security: [(String, String)] = [
    ("Content-Security-Policy", policy), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"), ("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    // Browsers keep the file and ask each time whether it is still the same: a new program is a new page at once.
    ("Cache-Control", "no-cache"),
  ]

  private static func response(_ file: File, _ request: Request, hasBody: Bool = true) -> Response {
    var headers = HTTPFields()
    for (name, value) in security {
      if let name = HTTPField.Name(name) { headers[name] = value }
    }
    headers[.eTag] = file.tag
    let known = request.headers[.ifNoneMatch].map { $0.split(separator: ",").map { $0.drop { " W/".contains($0) } } }
    if known?.contains(where: { $0.prefix(file.tag.count) == file.tag }) == true {
      return Response(status: .notModified, headers: headers)
    }
    headers[.contentType] = file.type
    guard hasBody else {
      headers[.contentLength] = "\(file.bytes.readableBytes)"
      return Response(status: .ok, headers: headers)
    }
    return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: file.bytes))
  }
}
