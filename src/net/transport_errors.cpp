#include "net/transport_errors.h"

#include <openssl/sslerr.h>
#include <openssl/x509_vfy.h>

#include <cerrno>

namespace vkb::net {
namespace {

std::string certificateFault(const std::string& expected_name, const HandshakeReport& report) {
  const std::string whose = report.subject.empty() ? "" : " (" + report.subject + ")";
  switch (report.verify_error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "its certificate is not valid for \"" + expected_name + "\" but for " +
             (report.names.empty() ? std::string("no name at all") : report.names) +
             "; check the server address in the kubeconfig or set its tls-server-name";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "its certificate" + whose + " expired at " + report.not_after +
             "; renew it, or check this machine's clock";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "its certificate" + whose + " is not valid before " + report.not_before +
             "; check this machine's clock and the server's";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CERT_UNTRUSTED:
      return "its certificate" + whose +
             " was signed by an unknown authority; check certificate-authority-data in the "
             "kubeconfig";
    default:
      return "its certificate" + whose +
             " was refused: " + X509_verify_cert_error_string(report.verify_error) +
             "; check certificate-authority-data in the kubeconfig and the server's certificate";
  }
}

bool meansPlainHttp(int tls_reason) {
  return tls_reason == SSL_R_WRONG_VERSION_NUMBER || tls_reason == SSL_R_HTTP_REQUEST ||
         tls_reason == SSL_R_PACKET_LENGTH_TOO_LONG;
}

}  // namespace

std::string hostPort(const std::string& host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string durationText(std::chrono::milliseconds duration) {
  const auto ms = duration.count();
  if (ms < 1000) return std::to_string(ms) + " ms";
  std::string text = std::to_string(ms / 1000);
  if (ms % 1000 >= 100) text += "." + std::to_string(ms % 1000 / 100);
  return text + " s";
}

Status unreachable(std::string message) {
  return {.reason = reasons::kUnreachable, .message = std::move(message)};
}

Status unanswered(std::string message) {
  return {.reason = reasons::kUnanswered, .message = std::move(message)};
}

Status abortedByUs() {
  return {.reason = kReasonAborted, .message = "the request was called off by this program"};
}

Status dialFailure(const std::string& target, const IoResult& result) {
  if (result.state == IoState::kAborted) return abortedByUs();
  const std::string start = "cannot connect to " + target + ": ";
  if (result.state == IoState::kTimeout || result.error_number == ETIMEDOUT) {
    return unreachable(start +
                       "no answer in time; check that the address is right and that no firewall "
                       "drops the packets");
  }
  if (result.error_number == ECONNREFUSED) {
    return unreachable(start +
                       "connection refused; check that the server is running and that the port "
                       "is right");
  }
  return unreachable(start + howItBroke(result) + "; check the address and the network route");
}

bool isClientCertificateAlert(int alert) {
  switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
    case SSL_AD_DECRYPT_ERROR:
      return true;
    default:
      return false;
  }
}

Status clientCertificateRefused(const std::string& target, const IoResult& result,
                                const TlsContext& context) {
  if (!context.hasClientCertificate()) {
    return unreachable(target + " demands a client certificate and none is configured (" +
                       result.what + "); add client-certificate-data and client-key-data");
  }
  return unreachable(target + " refused our client certificate (" + result.what +
                     "); check that client-certificate-data is of this cluster and not expired");
}

Status handshakeFailure(const std::string& target, const std::string& expected_name,
                        const IoResult& result, const HandshakeReport& report,
                        const TlsContext& context) {
  if (result.state == IoState::kAborted) return abortedByUs();
  const std::string start = "no TLS connection to " + target + ": ";
  if (report.verify_error != 0) {
    return unreachable(start + certificateFault(expected_name, report));
  }
  if (result.state == IoState::kTimeout) {
    return unreachable(start +
                       "the handshake did not end in time; check that the server is healthy and "
                       "speaks TLS on this port");
  }
  const bool may_be_ours =
      report.client_certificate_requested &&
      (isClientCertificateAlert(result.tls_alert) || result.tls_alert == SSL_AD_HANDSHAKE_FAILURE);
  if (may_be_ours) return clientCertificateRefused(target, result, context);
  if (meansPlainHttp(result.tls_reason)) {
    return unreachable(start +
                       "the server does not speak TLS on this port; check scheme and port of the "
                       "server address");
  }
  return unreachable(start + howItBroke(result) +
                     "; check that this is the API server's port and that nothing between "
                     "intercepts TLS");
}

std::string howItBroke(const IoResult& result) {
  switch (result.state) {
    case IoState::kEof:
      return "the peer closed the connection";
    case IoState::kTruncated:
      return "the connection was cut off";
    case IoState::kTimeout:
      return "nothing came in time";
    default:
      break;
  }
  if (result.error_number == ECONNRESET) return "connection reset by peer";
  if (result.error_number == EPIPE) return "the peer closed the connection";
  return result.what.empty() ? "unknown failure" : result.what;
}

}  // namespace vkb::net
