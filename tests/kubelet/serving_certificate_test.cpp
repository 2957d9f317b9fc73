// The certificate that a node's server shows.
#include "kubelet/serving_certificate.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "net/server/test_certs.h"
#include "support/fake_runtime.h"

namespace vkb::kubelet {
namespace {

using std::chrono::hours;
using ::testing::ElementsAre;

class SelfSignedTest : public ::testing::Test {
 protected:
  std::unique_ptr<ServingCertificate> make(std::vector<std::string> ips = {"192.0.2.9"}) {
    return selfSignedCertificate(
        clock_, {.node = "gpu-eu",
                 .ips = std::move(ips),
                 .load = [this] { return Result<std::optional<std::string>>(kept_); },
                 .save =
                     [this](const std::string& text) {
                       kept_ = text;
                       ++saves_;
                       return Result<void>();
                     }});
  }

  test::FakeClock clock_;
  std::optional<std::string> kept_;
  int saves_ = 0;
};

TEST_F(SelfSignedTest, IsMadeOnceAndKeptOverRestarts) {
  const auto first = make()->current();
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(saves_, 1);
  const auto facts = net::readCertificate(first->cert_pem);
  EXPECT_THAT(facts->dns, ElementsAre("gpu-eu"));
  EXPECT_THAT(facts->ips, ElementsAre("192.0.2.9"));
  const auto again = make()->current();
  ASSERT_TRUE(again);
  EXPECT_EQ(saves_, 1);
  EXPECT_EQ(net::readCertificate(again->cert_pem)->not_after, facts->not_after);
  EXPECT_TRUE(net::TlsContext::server({.cert_pem = again->cert_pem, .key_pem = again->key_pem}));
}

TEST_F(SelfSignedTest, IsRenewedInTheLastFifthOfItsLife) {
  const auto certificate = make();
  certificate->current();
  clock_.advance(hours(24 * 290));
  certificate->current();
  EXPECT_EQ(saves_, 1);
  clock_.advance(hours(24 * 5));
  const auto renewed = certificate->current();
  EXPECT_EQ(saves_, 2);
  EXPECT_GT(net::readCertificate(renewed->cert_pem)->not_after, clock_.wallNow() + hours(24 * 360));
}

TEST_F(SelfSignedTest, IsMadeAnewForAnotherAddressOrFromRubbish) {
  make()->current();
  make({"192.0.2.10"})->current();
  EXPECT_EQ(saves_, 2);
  kept_ = "rubbish";
  EXPECT_TRUE(make()->current());
  EXPECT_EQ(saves_, 3);
}

class FileCertificateTest : public ::testing::Test {
 protected:
  FileCertificateTest() {
    std::string path = (std::filesystem::temp_directory_path() / "vkb-cert-XXXXXX").string();
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
  }
  ~FileCertificateTest() override { std::filesystem::remove_all(folder_); }
  void write(const char* name, const std::string& text) {
    // As tools do: another file under the same name.
    std::ofstream(folder_ / "new") << text;
    std::filesystem::rename(folder_ / "new", folder_ / name);
  }

  std::filesystem::path folder_;
};

TEST_F(FileCertificateTest, ChangesAreServedWhenBothFilesFit) {
  const test::TestCa ca("CA");
  const test::CertPair first = ca.issue({.dns = {"a"}}), second = ca.issue({.dns = {"b"}});
  write("crt", first.cert_pem);
  write("key", first.key_pem);
  const auto certificate = certificateFromFiles(folder_ / "crt", folder_ / "key");
  EXPECT_EQ(certificate->current()->cert_pem, first.cert_pem);
  write("crt", second.cert_pem);
  EXPECT_FALSE(certificate->current()) << "its key has not come yet";
  write("key", second.key_pem);
  EXPECT_EQ(certificate->current()->cert_pem, second.cert_pem);
}

TEST_F(FileCertificateTest, AMissingFileIsNamed) {
  const auto missing = certificateFromFiles(folder_ / "crt", folder_ / "key")->current();
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, ::testing::HasSubstr((folder_ / "crt").string()));
}

}  // namespace
}  // namespace vkb::kubelet
