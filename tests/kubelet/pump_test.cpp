// Bytes both ways through bounded buffers, without waiting.
#include "kubelet/pump.h"

#include <gtest/gtest.h>

#include "kubelet/net_streams.h"
#include "memory_stream.h"

namespace vkb::kubelet {
namespace {

using test::MemoryStream;
using Mode = Pump::Mode;
using State = Pump::State;

State settle(Pump& pump) {
  State state = pump.step();
  while (state == State::kMore) state = pump.step();
  return state;
}

TEST(PumpTest, WhatComesFirstGoesOutFirst) {
  MemoryStream client, backend;
  client.incoming = "later up";
  backend.incoming = "later down";
  Pump pump(Mode::kSplice, client, backend, "head ", "early ");
  EXPECT_EQ(settle(pump), State::kWaiting);
  EXPECT_EQ(client.outgoing, "head later down");
  EXPECT_EQ(backend.outgoing, "early later up");
  EXPECT_EQ(pump.clientWants(), (Wants{.read = true}));
  EXPECT_EQ(pump.backendWants(), (Wants{.read = true}));
}

TEST(PumpTest, AFullWayUpDoesNotKeepTheWayDownFromMoving) {
  MemoryStream client, backend;
  client.incoming = std::string(1'000'000, 'u');
  backend.room = 0;  // reads nothing: it is busy writing
  Pump pump(Mode::kSplice, client, backend, "", "");
  EXPECT_EQ(settle(pump), State::kWaiting);
  backend.incoming = std::string(1'000'000, 'd');
  EXPECT_EQ(settle(pump), State::kWaiting);
  EXPECT_EQ(client.outgoing.size(), 1'000'000U);
  EXPECT_EQ(pump.clientWants(), (Wants{})) << "what cannot be passed on is not read";
  EXPECT_EQ(pump.backendWants(), (Wants{.read = true, .write = true}));
  backend.room = SIZE_MAX;
  EXPECT_EQ(settle(pump), State::kWaiting);
  EXPECT_EQ(backend.outgoing, std::string(1'000'000, 'u'));
}

TEST(PumpTest, HoldsNoMoreThanOneBufferAWay) {
  MemoryStream client, backend;
  client.incoming = std::string(10'000'000, 'u');
  backend.room = 0;
  Pump pump(Mode::kSplice, client, backend, "", "");
  settle(pump);
  EXPECT_GE(client.incoming.size(), 10'000'000 - OneWay::kBufferBytes);
}

TEST(PumpTest, PiecesOfAnySizeArriveWhole) {
  MemoryStream client, backend;
  std::string sent;
  for (int i = 0; i < 300'000; ++i) sent += static_cast<char>(i * 7 % 251);
  client.incoming = sent;
  client.piece = 4099;
  backend.piece = 1013;
  Pump pump(Mode::kSplice, client, backend, "", "");
  EXPECT_EQ(settle(pump), State::kWaiting);
  EXPECT_EQ(backend.outgoing, sent);
}

TEST(PumpTest, OneTurnIsBounded) {
  MemoryStream client, backend;
  client.incoming = std::string(10'000'000, 'u');
  Pump pump(Mode::kSplice, client, backend, "", "");
  EXPECT_EQ(pump.step(), State::kMore);
  EXPECT_LT(backend.outgoing.size(), 1'000'000U);
}

TEST(PumpTest, AnEndIsPassedOnAndTheOtherWayGoesOn) {
  MemoryStream client, backend;
  client.incoming = "last words";
  client.ended = true;
  Pump pump(Mode::kSplice, client, backend, "", "");
  EXPECT_EQ(settle(pump), State::kWaiting);
  EXPECT_EQ(backend.outgoing, "last words");
  EXPECT_EQ(backend.write_ends, 1);
  EXPECT_TRUE(pump.isHalfOver());
  EXPECT_EQ(pump.clientWants(), (Wants{})) << "its end is not read again and again";
  backend.incoming = "answer";
  EXPECT_EQ(settle(pump), State::kWaiting);
  EXPECT_EQ(client.outgoing, "answer");
  backend.ended = true;
  EXPECT_EQ(settle(pump), State::kOver);
  EXPECT_EQ(client.write_ends, 1);
}

TEST(PumpTest, AnEndWaitsForWhatCameBeforeIt) {
  MemoryStream client, backend;
  client.incoming = "much";
  client.ended = true;
  backend.room = 0;
  Pump pump(Mode::kSplice, client, backend, "", "");
  settle(pump);
  EXPECT_EQ(backend.write_ends, 0);
  backend.room = 100;
  settle(pump);
  EXPECT_EQ(backend.outgoing, "much");
  EXPECT_EQ(backend.write_ends, 1);
}

TEST(PumpTest, WhatCameBeforeACutIsDeliveredAndTheCutIsNoEnd) {
  MemoryStream client, backend;
  backend.incoming = "half a line";
  backend.broken = true;
  Pump pump(Mode::kSplice, client, backend, "", "");
  EXPECT_EQ(settle(pump), State::kOver);
  EXPECT_EQ(client.outgoing, "half a line");
  EXPECT_EQ(client.write_ends, 0);
}

TEST(PumpTest, WhoTakesNothingAnyMoreEndsTheSession) {
  MemoryStream client, backend;
  client.refuses = true;
  backend.incoming = "x";
  Pump pump(Mode::kSplice, client, backend, "", "");
  EXPECT_EQ(settle(pump), State::kOver);
}

TEST(PumpTest, AnAnswerIsOverWithItsEndAndWithItsReader) {
  MemoryStream client, backend;
  backend.incoming = "log";
  backend.ended = true;
  client.incoming = "what nobody asked";
  ChunkedSource chunked(backend);
  Pump pump(Mode::kAnswer, client, chunked, "head ");
  EXPECT_EQ(settle(pump), State::kOver);
  EXPECT_EQ(client.outgoing, "head 0003\r\nlog\r\n0\r\n\r\n");
  EXPECT_EQ(backend.outgoing, "");

  MemoryStream gone, endless;
  gone.ended = true;
  ChunkedSource following(endless);
  Pump follow(Mode::kAnswer, gone, following, "head");
  EXPECT_EQ(settle(follow), State::kOver) << "nobody reads the log any more";
}

TEST(PumpTest, ABodyThatIsCutOffHasNoLastChunk) {
  MemoryStream client, backend;
  backend.incoming = "log";
  backend.broken = true;
  ChunkedSource chunked(backend);
  Pump pump(Mode::kAnswer, client, chunked, "");
  EXPECT_EQ(settle(pump), State::kOver);
  EXPECT_EQ(client.outgoing, "0003\r\nlog\r\n");
}

TEST(PumpTest, ALargeLogIsChunkedWithoutLossThroughAReaderThatTakesLittle) {
  MemoryStream client, backend;
  backend.incoming = std::string(500'000, 'x');
  backend.ended = true;
  client.piece = 777;
  ChunkedSource chunked(backend);
  Pump pump(Mode::kAnswer, client, chunked, "");
  EXPECT_EQ(settle(pump), State::kOver);
  EXPECT_EQ(std::count(client.outgoing.begin(), client.outgoing.end(), 'x'), 500'000);
  EXPECT_TRUE(client.outgoing.ends_with("\r\n0\r\n\r\n"));
}

}  // namespace
}  // namespace vkb::kubelet
