// Answers on the way from a node, and how the last batches are shared.
#include "core/remote.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/sorted_work.h"
#include "core/traffic.h"
#include "core/zeromq.h"

namespace harness {
namespace {

struct Answered {
  std::vector<std::string> texts;
  Batch batch;
  std::vector<uint8_t> bytes;
};

Answered answered(const std::vector<std::string>& texts) {
  Answered out;
  out.texts = texts;
  std::vector<mlperf::QuerySampleResponse> responses;
  for (size_t i = 0; i < texts.size(); ++i) {
    out.batch.add(100 + i, static_cast<uint32_t>(i), 1);
    responses.emplace_back(0, reinterpret_cast<uintptr_t>(texts[i].data()), texts[i].size());
  }
  out.bytes.resize(answer_size(responses.data(), responses.size()));
  write_answer(7, 5000, responses.data(), responses.size(), out.bytes.data());
  return out;
}

TEST(Answer, ResponsesOfAnySizeArriveInTheBatchsOrder) {
  const Answered sent = answered({"one", "", "seventeen letters"});
  Answers answers;
  read_answer(sent.batch, sent.bytes.data(), sent.bytes.size(), answers);
  ASSERT_EQ(answers.responses.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    const auto& response = answers.responses[i];
    EXPECT_EQ(response.id, 100 + i);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(response.data), response.size), sent.texts[i]);
    EXPECT_EQ(response.data % 8, reinterpret_cast<uintptr_t>(sent.bytes.data()) % 8);
  }
  AnswerHead head;
  std::memcpy(&head, sent.bytes.data(), sizeof(head));
  EXPECT_EQ(head.number, 7U);
  EXPECT_EQ(head.held_ns, 5000);
}

TEST(Answer, OneOfAnotherFormIsAnError) {
  Answered sent = answered({"one", "two"});
  Answers answers;
  for (size_t size : {size_t{0}, sizeof(AnswerHead), sent.bytes.size() - 8}) {
    EXPECT_THROW(read_answer(sent.batch, sent.bytes.data(), size, answers), Error) << size;
  }
  sent.bytes.resize(sent.bytes.size() + 8);
  EXPECT_THROW(read_answer(sent.batch, sent.bytes.data(), sent.bytes.size(), answers), Error);
  sent.batch.add(1, 2, 3);
  try {
    read_answer(sent.batch, sent.bytes.data(), sent.bytes.size(), answers);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.why(), "it has 2 responses for 3 samples");
  }
}

TEST(Keys, AnythingElseThanTwoKeysIsAnError) {
  ::unsetenv("TEST_KEYS");
  EXPECT_THROW(curve_keys_from("TEST_KEYS"), Error);
  ::setenv("TEST_KEYS", "short", 1);
  EXPECT_THROW(curve_keys_from("TEST_KEYS"), Error);
  const std::string key(40, 'k');
  ::setenv("TEST_KEYS", (key + " " + key).c_str(), 1);
  EXPECT_EQ(curve_keys_from("TEST_KEYS").secret_key, key);
}

TEST(ZeroMqLibrary, OneThatIsNotThereIsNamed) {
  try {
    const ZeroMq zeromq("/nowhere/libzmq.so");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), Status::kMissing);
    EXPECT_NE(error.why().find("/nowhere/libzmq.so"), std::string::npos);
  }
}

// The library that `make cluster` installs, or the system's; a machine without either skips.
std::unique_ptr<ZeroMq> library() {
  const char* given = std::getenv(kLibraryVariable);
  try {
    return std::make_unique<ZeroMq>(given == nullptr ? "" : given);
  } catch (const Error& error) {
    return nullptr;
  }
}

TEST(UnixSocket, AFolderThatOthersMayEnterIsRefusedAndAPrivateOneCarriesMessages) {
  const auto zeromq = library();
  if (zeromq == nullptr) GTEST_SKIP() << "the ZeroMQ library is not installed; run `make cluster`";
  std::string folder = ::testing::TempDir() + "remote-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  ASSERT_EQ(::chmod(folder.c_str(), 0711), 0);
  EXPECT_THROW(zeromq->listen_in(folder), Error);
  EXPECT_THROW(zeromq->listen_in(folder + "/none"), Error);
  ASSERT_EQ(::chmod(folder.c_str(), 0700), 0);
  {
    const auto node = zeromq->listen_in(folder);
    const auto other = zeromq->listen_in(folder);
    EXPECT_EQ(node->endpoint().rfind("ipc://" + folder + "/", 0), 0U);
    EXPECT_NE(node->endpoint(), other->endpoint());
    const auto head = zeromq->connect(node->endpoint(), {}, "");
    Message message(zeromq->api());
    std::memcpy(message.resize(3), "one", 3);
    head->send(message);
    ASSERT_TRUE(node->receive(message, 10'000));
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(message.data()), message.size()), "one");
    EXPECT_FALSE(other->receive(message, 0));
  }
  std::filesystem::remove_all(folder);
}

TEST(TrafficSums, TimeThatTheNodeComputedIsNotTheNetworks) {
  Traffic traffic;
  traffic.add(1000, 700, 64);
  traffic.add(500, 600, 36);  // two clocks: never negative
  EXPECT_EQ(traffic.network_ns(), 300);
  EXPECT_EQ(traffic.bytes(), 100U);
}

TEST(SortedWorkAhead, TheLastBatchesAreForLanesWithoutAny) {
  const std::vector<int32_t> lengths(8, 1);
  SortedWork work(lengths, 2, 1.0, false, 2);
  std::vector<mlperf::QuerySample> samples;
  for (size_t i = 0; i < 8; ++i) samples.push_back({i, i});
  work.offer(samples.data(), samples.size());  // four batches
  Asks ahead(false);
  ahead.ahead = true;
  Batch batch;
  EXPECT_EQ(work.take(batch, ahead), Taken::kBatch);
  EXPECT_EQ(work.take(batch, ahead), Taken::kBatch);
  EXPECT_EQ(work.take(batch, ahead), Taken::kNothing);
  EXPECT_EQ(work.take(batch, true), Taken::kBatch);
  EXPECT_EQ(work.take(batch, true), Taken::kBatch);
  EXPECT_EQ(work.take(batch, false), Taken::kNothing);
}

TEST(SortedWorkLost, ABatchThatIsGivenBackIsTakenAgainByALaneWithoutAny) {
  const std::vector<int32_t> lengths(4, 1);
  SortedWork work(lengths, 2, 1.0, false, 1);
  std::vector<mlperf::QuerySample> samples;
  for (size_t i = 0; i < 4; ++i) samples.push_back({10 + i, i});
  work.offer(samples.data(), samples.size());
  Batch lost;
  Batch other;
  ASSERT_EQ(work.take(lost, true), Taken::kBatch);
  ASSERT_EQ(work.take(other, true), Taken::kBatch);
  work.give_back(lost);
  Batch again;
  ASSERT_EQ(work.take(again, true), Taken::kBatch);
  EXPECT_EQ(again.ids, lost.ids);
  EXPECT_EQ(again.samples, lost.samples);
  EXPECT_EQ(again.longest, lost.longest);
  EXPECT_EQ(work.take(again, false), Taken::kNothing);
}

}  // namespace
}  // namespace harness
