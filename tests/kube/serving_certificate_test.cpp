#include "kube/serving_certificate.h"

#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "json/json.h"
#include "kube/base64.h"
#include "recorded_server.h"
#include "support/api_errors.h"
#include "support/fake_cluster.h"

namespace vkb::kube {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using State = CertificateAnswer::State;

TEST(ServingRequest, NamesTheNodeAndItsAddressesAndIsSignedByItsKey) {
  const auto made = newServingRequest("vn1", {"vn1.example"}, {"192.0.2.7", "2001:db8::1"});
  ASSERT_TRUE(made) << made.error().message;
  BIO* bio = BIO_new_mem_buf(made->request_pem.data(), -1);
  X509_REQ* request = PEM_read_bio_X509_REQ(bio, nullptr, nullptr, nullptr);
  ASSERT_NE(request, nullptr);
  BIO* key_bio = BIO_new_mem_buf(made->key_pem.data(), -1);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(key_bio, nullptr, nullptr, nullptr);
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(X509_REQ_verify(request, key), 1);
  char subject[200];
  X509_NAME_oneline(X509_REQ_get_subject_name(request), subject, sizeof subject);
  EXPECT_STREQ(subject, "/O=system:nodes/CN=system:node:vn1");
  BIO* text = BIO_new(BIO_s_mem());
  X509_REQ_print(text, request);
  char* data = nullptr;
  const long size = BIO_get_mem_data(text, &data);
  EXPECT_THAT(std::string(data, static_cast<std::size_t>(size)),
              HasSubstr("DNS:vn1.example, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:1"));
  BIO_free(text);
  EVP_PKEY_free(key);
  BIO_free(key_bio);
  X509_REQ_free(request);
  BIO_free(bio);
}

TEST(ServingRequest, WithoutANameOrWithOneThatWouldAddOthersThereIsNone) {
  EXPECT_FALSE(newServingRequest("vn1", {}, {}));
  EXPECT_FALSE(newServingRequest("vn1", {"a,DNS:kubernetes.default"}, {}));
  EXPECT_FALSE(newServingRequest("vn1", {}, {"192.0.2.1,IP:192.0.2.2"}));
  EXPECT_FALSE(newServingRequest("vn1", {}, {"no address"}));
}

class RecordedCertificates : public ::testing::TestWithParam<std::string> {
 protected:
  test::RecordedServer server_{"csr", GetParam()};
};

TEST_P(RecordedCertificates, TheObjectIsAsRealServersTookIt) {
  const Json& sent = server_.step("", 0)["request"]["body"];
  const Json built =
      servingCertificateRequest("vn1", base64Decode(json::str(sent, {"spec", "request"})).value());
  EXPECT_EQ(built["spec"], sent["spec"]);
  EXPECT_EQ(built["apiVersion"], sent["apiVersion"]);
  EXPECT_EQ(built["kind"], sent["kind"]);
}

TEST_P(RecordedCertificates, WhatServersAnswerIsPendingIssuedOrRefused) {
  EXPECT_EQ(certificateAnswer(server_.step("", 0)["response"]["body"]).state, State::kPending);
  const CertificateAnswer issued = certificateAnswer(server_.body("issued"));
  EXPECT_EQ(issued.state, State::kIssued);
  EXPECT_THAT(issued.certificate_pem, HasSubstr("-----BEGIN CERTIFICATE-----"));
  const CertificateAnswer failed =
      certificateAnswer(server_.body("three seconds later: Failed condition, no certificate"));
  EXPECT_EQ(failed.state, State::kRefused);
  EXPECT_THAT(failed.why, HasSubstr("DNS or IP subjectAltName is required"));
  const CertificateAnswer denied = certificateAnswer(Json::parse(
      R"({"status":{"conditions":[{"type":"Denied","reason":"No","message":"by hand"}]}})"));
  EXPECT_EQ(denied.state, State::kRefused);
  EXPECT_EQ(denied.why, "Denied: No: by hand");
}

INSTANTIATE_TEST_SUITE_P(RealServers, RecordedCertificates, ::testing::Values("1.20", "1.36"),
                         [](const auto& instance) { return "v1_" + instance.param.substr(2); });

class ServingCertificateTest : public ::testing::Test {
 protected:
  void start() {
    request_.start(
        [this](Result<ServingCertificate> result) { results_.push_back(std::move(result)); });
    runtime_.settle();
  }
  std::vector<test::VersionPtr> objects() { return cluster_.all(kCertificateSigningRequests); }
  void setStatus(const Json& status) {
    const std::string name = json::str(objects().at(0)->json(), {"metadata", "name"});
    ASSERT_TRUE(cluster_.patch("signer", kCertificateSigningRequests, "", name, PatchType::kMerge,
                               {{"status", status}}, "status"));
  }

  test::FakeRuntime runtime_;
  test::FakeCluster cluster_{runtime_};
  std::unique_ptr<Client> client_ = cluster_.client("bridge");
  base::NullLogger logger_;
  std::vector<Result<ServingCertificate>> results_;
  ServingCertificateRequest request_{
      runtime_.runtime(), *client_, logger_, {.node = "vn1", .ips = {"192.0.2.7"}}};
};

TEST_F(ServingCertificateTest, IsHandedOverWithItsKeyOnceSigned) {
  start();
  ASSERT_EQ(objects().size(), 1u);
  runtime_.advance(1min);
  setStatus({{"conditions", Json::array({{{"type", "Approved"}}})}});
  runtime_.advance(1min);
  EXPECT_TRUE(results_.empty());  // approved is not signed
  setStatus({{"certificate", base64Encode("PEM")}});
  runtime_.advance(1min);
  ASSERT_EQ(results_.size(), 1u);
  ASSERT_TRUE(results_[0]);
  EXPECT_EQ(results_[0]->certificate_pem, "PEM");
  EXPECT_THAT(results_[0]->key_pem, HasSubstr("PRIVATE KEY"));
  runtime_.advance(1h);
  EXPECT_EQ(results_.size(), 1u);
}

TEST_F(ServingCertificateTest, ARequestWhoseAnswerWasLostIsNotDoubled) {
  cluster_.faults().loseAnswers(1);
  start();
  runtime_.advance(10s);
  EXPECT_EQ(objects().size(), 1u);
  setStatus({{"certificate", base64Encode("PEM")}});
  runtime_.advance(1min);
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_TRUE(results_[0]);
}

TEST_F(ServingCertificateTest, ADenialIsToldInTheWordsOfWhoDenied) {
  start();
  setStatus({{"conditions", Json::array({{{"type", "Denied"}, {"message", "not here"}}})}});
  runtime_.advance(1min);
  ASSERT_EQ(results_.size(), 1u);
  ASSERT_FALSE(results_[0]);
  EXPECT_THAT(results_[0].error().message, HasSubstr("not here"));
}

TEST_F(ServingCertificateTest, WhenNobodyApprovesItSaysHowTo) {
  start();
  runtime_.advance(16min);
  ASSERT_EQ(results_.size(), 1u);
  ASSERT_FALSE(results_[0]);
  EXPECT_THAT(results_[0].error().message, HasSubstr("kubectl certificate approve vn1-serving-"));
}

TEST_F(ServingCertificateTest, OneThatWasClearedAwayIsAskedForAgain) {
  start();
  const std::string name = json::str(objects().at(0)->json(), {"metadata", "name"});
  ASSERT_TRUE(cluster_.remove("cleaner", kCertificateSigningRequests, "", name));
  runtime_.advance(2min);
  EXPECT_EQ(objects().size(), 1u);
}

TEST_F(ServingCertificateTest, AfterStopNothingIsAskedAndNothingComes) {
  start();
  request_.stop();
  const auto requests = cluster_.requests.size();
  setStatus({{"certificate", base64Encode("PEM")}});
  runtime_.advance(1h);
  EXPECT_TRUE(results_.empty());
  EXPECT_EQ(cluster_.requests.size(), requests);
}

}  // namespace
}  // namespace vkb::kube
