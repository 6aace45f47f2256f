-- refused E211
error('no')
