// Order: whether two uses of the same memory are ordered by a stream, an event or the host, whatever their timing was.
#include <algorithm>

#include "state.h"

namespace stand_in {

namespace {

// Whether an access happens before work that follows `clock`, with the clocks of one graph or of all streams.
bool is_before(const Access& access, const Clock& clock) {
  const auto found = clock.find(access.stream->id);
  return found != clock.end() && found->second >= access.seq;
}

void check(std::vector<Access>& earlier, const Touch& touch, const Access& now, const Clock& clock, bool in_graph) {
  for (const Access& access : earlier) {
    const bool overlaps = access.begin < touch.end && touch.begin < access.end;
    if (!overlaps || !(access.writes || touch.writes) || is_before(access, clock)) continue;
    if (!in_graph && access.stream->known >= access.seq) continue;
    violation("order", now.what + " on " + describe(*now.stream) + (touch.writes ? " writes " : " reads ") +
                           describe(*touch.memory) + ", which " + access.what + " on " + describe(*access.stream) +
                           (access.writes ? " writes" : " reads") + ": no event and no synchronisation orders the two");
  }
  // What this access follows and hides says nothing more.
  earlier.erase(std::remove_if(earlier.begin(), earlier.end(),
                               [&](const Access& access) {
                                 const bool hidden = access.begin >= touch.begin && access.end <= touch.end &&
                                                     (touch.writes || !access.writes) && is_before(access, clock) &&
                                                     access.stream == now.stream;
                                 return hidden || (!in_graph && access.stream->known >= access.seq);
                               }),
                earlier.end());
  earlier.push_back(now);
}

}  // namespace

void join(Clock& clock, const Clock& other) {
  for (const auto& [stream, seq] : other) {
    uint64_t& own = clock[stream];
    own = std::max(own, seq);
  }
}

void check_order(Stream& stream, const Clock& clock, uint64_t seq, const Operation& operation) {
  Capture* capture = stream.capture.get();
  for (const Touch& touch : operation.touches) {
    if (touch.memory == nullptr) continue;
    const Access now{&stream, seq, touch.begin, touch.end, touch.writes, operation.what};
    std::vector<Access>& earlier = capture == nullptr ? touch.memory->accesses : capture->accesses[touch.memory];
    check(earlier, touch, now, clock, capture != nullptr);
    if (capture == nullptr && touch.memory->kind == Memory::kPinned) {
      stream.held.push_back({seq, touch.memory, touch.begin, touch.end});
      protect(*touch.memory, touch.begin, touch.end);
    }
  }
}

void learn(const Clock& clock) {
  for (const auto& [id, seq] : clock) {
    Stream& stream = *state().streams[id];
    if (seq <= stream.known) continue;
    stream.known = seq;
  }
  for (const auto& [id, seq] : clock) {
    auto& held = state().streams[id]->held;
    while (!held.empty() && held.front().seq <= seq) {
      const Stream::Held first = held.front();
      held.pop_front();
      protect(*first.memory, first.begin, first.end);
    }
  }
}

}  // namespace stand_in
