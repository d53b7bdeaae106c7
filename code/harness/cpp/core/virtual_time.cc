#include "core/virtual_time.h"

#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>

#include "core/error.h"

namespace harness {

namespace {

constexpr size_t kStack = size_t{256} << 10;  // bytes

}  // namespace

class VirtualTime::Fiber {
 public:
  ucontext_t context{};
  std::vector<char> stack;
  std::function<void()> body;
  Waiters* waits_in = nullptr;
  uint64_t ticket = 0;  // of its present wait
};

VirtualTime* VirtualTime::current_ = nullptr;

VirtualTime::VirtualTime(double waking_ns) : waking_ns_(waking_ns), outside_(std::make_unique<Fiber>()) {}
VirtualTime::~VirtualTime() = default;

void VirtualTime::run(std::function<void()> body) {
  std::exception_ptr thrown;
  current_ = this;
  start([&] {
    try {
      body();
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  running_ = outside_.get();
  yield();
  current_ = nullptr;
  fibers_.clear();
  if (thrown) std::rethrow_exception(thrown);
  if (stuck_) {
    throw Error(Status::kFailed, "the simulation cannot go on", "every lane waits, and no event is due",
                "run it with --real_time; if that works, report a bug");
  }
}

void VirtualTime::start(std::function<void()> body) {
  fibers_.push_back(std::make_unique<Fiber>());
  Fiber* fiber = fibers_.back().get();
  fiber->body = std::move(body);
  fiber->stack.resize(kStack);
  ::getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack.data();
  fiber->context.uc_stack.ss_size = fiber->stack.size();
  ::makecontext(&fiber->context, &VirtualTime::enter, 0);
  ready_.push_back(fiber);
  ++alive_;
}

void VirtualTime::enter() {
  current_->running_->body();
  current_->ended();
}

void VirtualTime::ended() {
  --alive_;
  yield();
}

void VirtualTime::yield() {
  Fiber* from = running_;
  Fiber* to = next();
  if (to == from) return;
  running_ = to;
  ::swapcontext(&from->context, &to->context);
}

bool VirtualTime::drop_stale() {
  while (!timers_.empty() && timers_.top().fiber->ticket != timers_.top().ticket) timers_.pop();
  return !timers_.empty();
}

VirtualTime::Fiber* VirtualTime::next() {
  if (ready_.empty() && alive_ > 0 && drop_stale()) {
    const Timer timer = timers_.top();
    timers_.pop();
    now_ = std::max(now_, timer.at);
    Fiber* fiber = timer.fiber;
    ++fiber->ticket;
    if (fiber->waits_in != nullptr) {
      fiber->waits_in->erase(std::find(fiber->waits_in->begin(), fiber->waits_in->end(), fiber));
      fiber->waits_in = nullptr;
    }
    return fiber;
  }
  if (ready_.empty()) {
    stuck_ = alive_ > 0;
    return outside_.get();
  }
  Fiber* fiber = ready_.front();
  ready_.pop_front();
  return fiber;
}

int64_t VirtualTime::late() {
  if (waking_ns_ <= 0) return 0;
  const double share = (static_cast<double>(draws_() >> 11) + 0.5) / 9007199254740992.0;  // of 2^53
  return -static_cast<int64_t>(waking_ns_ * std::log(share));
}

void VirtualTime::sleep_until(int64_t until) {
  pass_until(until > now_ ? until + late() : until);
}

void VirtualTime::spend(int64_t ns) {
  pass_until(now_ + ns);
}

void VirtualTime::pass_until(int64_t ns) {
  // Nobody has anything to do before: no other fiber needs the processor.
  if (ready_.empty() && (!drop_stale() || timers_.top().at > ns)) {
    now_ = std::max(now_, ns);
    return;
  }
  timers_.push({std::max(ns, now_), orders_++, running_->ticket, running_});
  yield();
}

void VirtualTime::wait(Waiters& waiters, int64_t until) {
  waiters.push_back(running_);
  running_->waits_in = &waiters;
  if (until != kNever)
    timers_.push({std::max(until > now_ ? until + late() : until, now_), orders_++, running_->ticket, running_});
  yield();
}

void VirtualTime::wake_one(Waiters& waiters) {
  if (waiters.empty()) return;
  Fiber* fiber = waiters.front();
  waiters.pop_front();
  fiber->waits_in = nullptr;
  ++fiber->ticket;
  if (const int64_t delay = late(); delay > 0) {
    timers_.push({now_ + delay, orders_++, fiber->ticket, fiber});
  } else {
    ready_.push_back(fiber);
  }
}

void VirtualTime::wake_all(Waiters& waiters) {
  while (!waiters.empty()) wake_one(waiters);
}

}  // namespace harness
