internal import HummingbirdTLS

/// The files by which a server proves who it is.
public struct TLSFiles: Sendable, Equatable {
  /// The server's certificate and those between it and the authority, in PEM.
  public var certificate: String
  /// The key of the first certificate, in PEM, without a passphrase.
  public var key: String

  public init(certificate: String, key: String) {
    self.certificate = certificate
    self.key = key
  }

  /// - Throws: `ServerError` when one of the files cannot be used.
  func configuration() throws(ServerError) -> TLSConfiguration {
    let chain: [NIOSSLCertificate], privateKey: NIOSSLPrivateKey
    do {
      chain = try NIOSSLCertificate.fromPEMFile(certificate)
    } catch {
      throw .tls(file: certificate, reason: "\(error)")
    }
    guard !chain.isEmpty else { throw .tls(file: certificate, reason: "there is no certificate in it") }
    do {
      privateKey = try NIOSSLPrivateKey(file: key, format: .pem)
    } catch {
      throw .tls(file: key, reason: "\(error)")
    }
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    return configuration
  }
}
