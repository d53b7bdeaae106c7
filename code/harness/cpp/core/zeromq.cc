#include "core/zeromq.h"

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>

#include "core/error.h"

namespace harness {

// zmq.h of ZeroMQ 4. The package that brings the library has no headers, and the C interface has been stable since 4.0.
struct ZeroMqApi {
  void* (*ctx_new)() = nullptr;
  int (*ctx_set)(void*, int, int) = nullptr;
  int (*ctx_shutdown)(void*) = nullptr;
  int (*ctx_term)(void*) = nullptr;
  void* (*socket)(void*, int) = nullptr;
  int (*close)(void*) = nullptr;
  int (*setsockopt)(void*, int, const void*, size_t) = nullptr;
  int (*getsockopt)(void*, int, void*, size_t*) = nullptr;
  int (*bind)(void*, const char*) = nullptr;
  int (*connect)(void*, const char*) = nullptr;
  int (*msg_init)(void*) = nullptr;
  int (*msg_init_size)(void*, size_t) = nullptr;
  int (*msg_close)(void*) = nullptr;
  int (*msg_send)(void*, void*, int) = nullptr;
  int (*msg_recv)(void*, void*, int) = nullptr;
  void* (*msg_data)(void*) = nullptr;
  size_t (*msg_size)(const void*) = nullptr;
  int (*poll)(void*, int, long) = nullptr;  // NOLINT(google-runtime-int): ZeroMQ's type
  int (*has)(const char*) = nullptr;
  int (*failure)() = nullptr;
  const char* (*words)(int) = nullptr;
  uint8_t* (*z85_decode)(uint8_t*, const char*) = nullptr;

  void* library = nullptr;
};

namespace {

constexpr int kRep = 4;
constexpr int kDealer = 5;
constexpr int kDontWait = 1;
constexpr int kMore = 2;
constexpr int kIoThreads = 1;
constexpr int kLinger = 17;
constexpr int kReceivesMore = 13;
constexpr int kSendTimeout = 28;
constexpr int kLastEndpoint = 32;
constexpr int kCurveServer = 47;
constexpr int kCurvePublic = 48;
constexpr int kCurveSecret = 49;
constexpr int kCurveServerKey = 50;
constexpr short kPollIn = 1;  // NOLINT(google-runtime-int): ZeroMQ's type
constexpr size_t kKeyText = 40;
constexpr size_t kKeyBytes = 32;
constexpr int kSendPatienceMs = 20'000;
constexpr std::string_view kUnix = "ipc://";

// zmq_pollitem_t.
struct PollItem {
  void* socket;
  int descriptor;
  short events;    // NOLINT(google-runtime-int)
  short returned;  // NOLINT(google-runtime-int)
};

template <typename Function>
void find(void* library, const char* name, Function& function) {
  void* found = ::dlsym(library, name);
  if (found == nullptr) {
    throw Error(Status::kMissing, std::string("the ZeroMQ library has no ") + name, "it is older than version 4.0",
                "run `make cluster`");
  }
  std::memcpy(&function, &found, sizeof(found));
}

[[noreturn]] void failed(const ZeroMqApi& api, const std::string& doing) {
  const int number = api.failure();
  throw Error(Status::kFailed, doing, api.words(number), "run the same command again");
}

void set(const ZeroMqApi& api, void* socket, int option, int value) {
  if (api.setsockopt(socket, option, &value, sizeof(value)) != 0) failed(api, "a ZeroMQ socket rejects an option");
}

void set(const ZeroMqApi& api, void* socket, int option, const std::string& value) {
  if (api.setsockopt(socket, option, value.c_str(), value.size() + 1) != 0) {
    failed(api, "a ZeroMQ socket rejects a CURVE key");
  }
}

bool wait_for(const ZeroMqApi& api, void* socket, int wait_ms) {
  PollItem item{socket, 0, kPollIn, 0};
  const int found = api.poll(&item, 1, wait_ms);
  if (found < 0 && api.failure() != EINTR) failed(api, "waiting for a message failed");
  return found > 0;
}

}  // namespace

CurveKeys curve_keys_from(const char* name) {
  const char* given = std::getenv(name);
  const std::string text = given == nullptr ? "" : given;
  if (text.size() != 2 * kKeyText + 1 || text[kKeyText] != ' ') {
    throw Error(Status::kUsage, std::string("the variable ") + name + " has no CURVE keys",
                "a run over several nodes sets it", "start it through `make run RUN_ARGS=\"… --num_nodes=2\"`");
  }
  return {text.substr(0, kKeyText), text.substr(kKeyText + 1)};
}

Message::Message(const ZeroMqApi& api) : api_(api) {
  api_.msg_init(frame_.data());
}

Message::~Message() {
  api_.msg_close(frame_.data());
}

uint8_t* Message::resize(size_t bytes) {
  api_.msg_close(frame_.data());
  if (api_.msg_init_size(frame_.data(), bytes) != 0) {
    api_.msg_init(frame_.data());
    failed(api_, "no memory for a message of " + std::to_string(bytes) + " bytes");
  }
  return static_cast<uint8_t*>(api_.msg_data(frame_.data()));
}

const uint8_t* Message::data() const {
  return static_cast<const uint8_t*>(api_.msg_data(frame_.data()));
}

size_t Message::size() const {
  return api_.msg_size(frame_.data());
}

Socket::~Socket() {
  api_.close(handle_);
}

void Socket::send(Message& message) {
  while (api_.msg_send(message.raw(), handle_, 0) < 0) {
    if (api_.failure() != EINTR) failed(api_, "a message could not be sent");
  }
}

bool Socket::receive(Message& message, int wait_ms) {
  if (api_.msg_recv(message.raw(), handle_, kDontWait) >= 0) return true;
  if (wait_ms == 0 || !wait_for(api_, handle_, wait_ms)) return false;
  return api_.msg_recv(message.raw(), handle_, kDontWait) >= 0;
}

std::string Socket::endpoint() const {
  std::array<char, 256> text{};
  size_t size = text.size();
  if (api_.getsockopt(handle_, kLastEndpoint, text.data(), &size) != 0) failed(api_, "a socket has no address");
  return text.data();
}

// Answers ZeroMQ's question whether a peer may connect: only the one key may.
class ZeroMq::Gatekeeper {
 public:
  Gatekeeper(const ZeroMqApi& api, void* context, const std::string& key) : api_(api) {
    if (key.size() != kKeyText || api.z85_decode(allowed_.data(), key.c_str()) == nullptr) {
      throw Error(Status::kUsage, "the head's CURVE key is not one", "it has 40 characters",
                  "run the same command again");
    }
    socket_ = api.socket(context, kRep);
    if (socket_ == nullptr) failed(api, "a ZeroMQ socket cannot be made");
    set(api, socket_, kLinger, 0);
    if (api.bind(socket_, "inproc://zeromq.zap.01") != 0) failed(api, "the authentication socket cannot be bound");
    thread_ = std::thread([this] { serve(); });
  }
  ~Gatekeeper() { thread_.join(); }
  Gatekeeper(const Gatekeeper&) = delete;
  Gatekeeper& operator=(const Gatekeeper&) = delete;
  Gatekeeper(Gatekeeper&&) = delete;
  Gatekeeper& operator=(Gatekeeper&&) = delete;

 private:
  // RFC 27: version, request, domain, address, identity, mechanism, credentials.
  void serve() {
    Message part(api_);
    while (true) {
      std::vector<std::string> parts;
      int more = 1;
      while (more != 0) {
        if (api_.msg_recv(part.raw(), socket_, 0) < 0) {
          if (api_.failure() == EINTR) continue;
          api_.close(socket_);  // the context ends
          return;
        }
        parts.emplace_back(reinterpret_cast<const char*>(part.data()), part.size());
        size_t size = sizeof(more);
        api_.getsockopt(socket_, kReceivesMore, &more, &size);
      }
      const bool admitted = parts.size() >= 7 && parts[5] == "CURVE" && parts[6].size() == kKeyBytes &&
                            std::memcmp(parts[6].data(), allowed_.data(), kKeyBytes) == 0;
      reply({parts.empty() ? "1.0" : parts[0], parts.size() > 1 ? parts[1] : "", admitted ? "200" : "400",
             admitted ? "OK" : "this key is not the head's", "", ""});
    }
  }

  void reply(const std::vector<std::string>& parts) {
    Message part(api_);
    for (size_t i = 0; i < parts.size(); ++i) {
      uint8_t* into = part.resize(parts[i].size());
      if (!parts[i].empty()) std::memcpy(into, parts[i].data(), parts[i].size());
      api_.msg_send(part.raw(), socket_, i + 1 < parts.size() ? kMore : 0);
    }
  }

  const ZeroMqApi& api_;
  std::array<uint8_t, kKeyBytes> allowed_{};
  void* socket_ = nullptr;
  std::thread thread_;
};

ZeroMq::ZeroMq(const std::string& library, int io_threads) : api_(std::make_unique<ZeroMqApi>()) {
  const std::string file = library.empty() ? "libzmq.so.5" : library;
  ZeroMqApi& api = *api_;
  api.library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (api.library == nullptr) {
    const char* why = ::dlerror();
    throw Error(Status::kMissing, "the ZeroMQ library cannot be opened", why == nullptr ? file : why,
                "run `make cluster`, or install the system's package (Debian: libzmq5)");
  }
  find(api.library, "zmq_ctx_new", api.ctx_new);
  find(api.library, "zmq_ctx_set", api.ctx_set);
  find(api.library, "zmq_ctx_shutdown", api.ctx_shutdown);
  find(api.library, "zmq_ctx_term", api.ctx_term);
  find(api.library, "zmq_socket", api.socket);
  find(api.library, "zmq_close", api.close);
  find(api.library, "zmq_setsockopt", api.setsockopt);
  find(api.library, "zmq_getsockopt", api.getsockopt);
  find(api.library, "zmq_bind", api.bind);
  find(api.library, "zmq_connect", api.connect);
  find(api.library, "zmq_msg_init", api.msg_init);
  find(api.library, "zmq_msg_init_size", api.msg_init_size);
  find(api.library, "zmq_msg_close", api.msg_close);
  find(api.library, "zmq_msg_send", api.msg_send);
  find(api.library, "zmq_msg_recv", api.msg_recv);
  find(api.library, "zmq_msg_data", api.msg_data);
  find(api.library, "zmq_msg_size", api.msg_size);
  find(api.library, "zmq_poll", api.poll);
  find(api.library, "zmq_has", api.has);
  find(api.library, "zmq_errno", api.failure);
  find(api.library, "zmq_strerror", api.words);
  find(api.library, "zmq_z85_decode", api.z85_decode);
  if (api.has("curve") == 0) {
    throw Error(Status::kMissing, "the ZeroMQ library was built without CURVE", file,
                "run `make cluster`, whose library has it");
  }
  context_ = api.ctx_new();
  if (context_ == nullptr) failed(api, "ZeroMQ cannot start");
  api.ctx_set(context_, kIoThreads, io_threads);
}

ZeroMq::~ZeroMq() {
  if (context_ == nullptr) return;
  api_->ctx_shutdown(context_);
  gatekeeper_.reset();
  api_->ctx_term(context_);
}

void* ZeroMq::open() {
  void* socket = api_->socket(context_, kDealer);
  if (socket == nullptr) failed(*api_, "a ZeroMQ socket cannot be made");
  set(*api_, socket, kLinger, 0);
  set(*api_, socket, kSendTimeout, kSendPatienceMs);
  return socket;
}

void* ZeroMq::open(const CurveKeys& own) {
  void* socket = open();
  set(*api_, socket, kCurvePublic, own.public_key);
  set(*api_, socket, kCurveSecret, own.secret_key);
  return socket;
}

std::unique_ptr<Socket> ZeroMq::connect(const std::string& endpoint, const CurveKeys& own,
                                        const std::string& server_key) {
  const bool local = endpoint.compare(0, kUnix.size(), kUnix) == 0;
  void* socket = local ? open() : open(own);
  std::unique_ptr<Socket> out(new Socket(*api_, socket));
  if (!local) set(*api_, socket, kCurveServerKey, server_key);
  if (api_->connect(socket, endpoint.c_str()) != 0) failed(*api_, "cannot connect to " + endpoint);
  return out;
}

std::unique_ptr<Socket> ZeroMq::listen(const std::string& host, const CurveKeys& own) {
  void* socket = open(own);
  std::unique_ptr<Socket> out(new Socket(*api_, socket));
  set(*api_, socket, kCurveServer, 1);
  if (api_->bind(socket, ("tcp://" + host + ":*").c_str()) != 0) failed(*api_, "cannot listen on " + host);
  return out;
}

std::unique_ptr<Socket> ZeroMq::listen_in(const std::string& folder) {
  struct stat found{};
  if (::stat(folder.c_str(), &found) != 0 || !S_ISDIR(found.st_mode) || found.st_uid != ::geteuid() ||
      (found.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    throw Error(Status::kUsage, "cannot listen in " + folder, "it is not a directory that only this account may enter",
                "run the same command again");
  }
  const std::string name = std::to_string(::getpid()) + "-" + std::to_string(in_folder_++);
  void* socket = open();
  std::unique_ptr<Socket> out(new Socket(*api_, socket));
  const std::string endpoint = std::string(kUnix) + folder + "/" + name;
  if (api_->bind(socket, endpoint.c_str()) != 0) failed(*api_, "cannot listen on " + endpoint);
  return out;
}

void ZeroMq::admit(const std::string& public_key) {
  gatekeeper_ = std::make_unique<Gatekeeper>(*api_, context_, public_key);
}

}  // namespace harness
