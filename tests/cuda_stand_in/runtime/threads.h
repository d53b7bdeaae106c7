// What the runtime knows of the calling thread.
#pragma once

namespace stand_in {

// The device that the thread chose; -1: none.
int chosen_device();
void choose_device(int device);

// Whether the thread is running a host function of a stream.
bool in_callback();
void set_in_callback(bool inside);

}  // namespace stand_in
